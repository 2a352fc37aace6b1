//! Blocks that are allocations of the backing's own: the large ones, and all of them where a memory checker
//! is to see each.
//!
//! ```text
//!  address ─► shard, by some of its bits ─► hash table: address, size, capacity, family
//! ```
//!
//! 1. A block is in its shard's table from before its address is handed out until it is freed or moved.
//! 2. Addresses are stored complemented. A table of plain addresses would look to LeakSanitizer, Valgrind
//!    and Miri like live pointers and hide every leak from them.
//! 3. No shard is locked while the backing is asked for a block, and never two at a time. A block that is
//!    being moved is in no table meanwhile; where it goes, room has been promised in every shard, for nobody
//!    knows before which it will be.
//! 4. Once an address was asked for that starts no block, each shard keeps its addresses in order as well: such
//!    questions are the audit's, which asks them all the time. Where nobody asks there is no order to be kept. One that
//!    there was no memory for is gone, and made anew at the next question.

use std::alloc::Layout;
use std::ptr::{self, NonNull};

use allocator_api2::alloc::{AllocError, Allocator};
use hashbrown::HashTable;

use crate::task::block::{ALIGN, Family, Found};
#[cfg(all(unix, not(miri)))]
use crate::task::lock::Kept;
use crate::task::order::Order;
use crate::task::slab::NotLive;
use crate::task::sync::{AtomicPtr, AtomicUsize, Lock, Ordering, array, constructor};
use crate::task::table_memory::{TableMemory, hash};
use crate::task::whole::Whole;

/// One of a backing's ways to a block.
type Allocate<A> = fn(&A, Layout) -> Result<NonNull<[u8]>, AllocError>;

/// One live block.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The complement of the block's address.
    key: usize,
    /// Bytes asked for: what `GetSize` answers.
    size: usize,
    /// Bytes the backing gave: at least `size`, and never less than 1.
    capacity: usize,
    family: Family,
}

impl Entry {
    fn layout(&self) -> Layout {
        layout(self.capacity).expect("the block was allocated by it")
    }
}

/// More than any machine has. AddressSanitizer ends a program that asks its allocator for more,
/// where null is the answer.
#[cfg(target_pointer_width = "64")]
const MOST: usize = 1 << 40;
#[cfg(target_pointer_width = "32")]
const MOST: usize = isize::MAX as usize;

/// The layout of a block of `size` bytes: at least one, so that every block has an address of its own.
/// `None` beyond what there can be.
pub(crate) fn layout(size: usize) -> Option<Layout> {
    if size > MOST {
        return None;
    }
    Layout::from_size_align(size.max(1), ALIGN).ok()
}

/// Some of the blocks.
struct Table<A: Allocator + 'static> {
    /// Made at the first use, for it needs the backing.
    entries: Option<HashTable<Entry, TableMemory<A>>>,
    /// Their keys in order, if anybody has asked.
    order: Option<Order<A>>,
    /// Entries that must find room.
    promised: usize,
}

impl<A: Allocator> Table<A> {
    /// Makes room for one more entry beside those that were promised; `false` if there is no memory.
    #[must_use]
    fn reserve(&mut self, shard: &'static Shard<A>, backing: &'static A) -> bool {
        let memory = || {
            HashTable::new_in(TableMemory {
                backing,
                start: &shard.start,
            })
        };
        self.entries
            .get_or_insert_with(memory)
            .try_reserve(1 + self.promised, |entry| hash(entry.key))
            .is_ok()
    }

    /// Records a block, for which room was made.
    fn insert(&mut self, entry: Entry) {
        if let Some(entries) = &mut self.entries {
            debug_assert!(entries.len() < entries.capacity(), "room was made");
            entries.insert_unique(hash(entry.key), entry, |entry| hash(entry.key));
        }
        if let Some(order) = &mut self.order
            && order.insert(entry.key).is_err()
        {
            self.order = None;
        }
    }

    /// The block that starts at `address`.
    fn find(&mut self, address: usize) -> Option<&mut Entry> {
        let key = !address;
        self.entries
            .as_mut()?
            .find_mut(hash(key), |entry| entry.key == key)
    }

    /// Forgets the block that starts at `address`, and says what it was.
    fn remove(&mut self, address: usize) -> Option<Entry> {
        let key = !address;
        let found = self
            .entries
            .as_mut()?
            .find_entry(hash(key), |entry| entry.key == key);
        let entry = found.ok()?.remove().0;
        if let Some(order) = &mut self.order {
            order.remove(key);
        }
        Some(entry)
    }

    /// The block that an address lies in.
    fn containing(&mut self, address: usize, backing: &'static A) -> Option<Entry> {
        if self.order.is_none() {
            self.order = self.ordered(backing);
        }
        let holds = |entry: &Entry| address.wrapping_sub(!entry.key) < entry.capacity;
        let entry = match &self.order {
            Some(order) => {
                let start = !order.from(!address)?;
                self.find(start).copied()
            }
            // Without memory for an order, one after another.
            None => self.entries.iter().flatten().copied().find(holds),
        };
        entry.filter(holds)
    }

    /// The keys of all entries in order, if there is memory for that.
    fn ordered(&self, backing: &'static A) -> Option<Order<A>> {
        let mut order = Order::new(backing);
        for entry in self.entries.iter().flatten() {
            order.insert(entry.key).ok()?;
        }
        Some(order)
    }

    /// Gives spare room back to the backing. The smaller table is made beside the old one, which stays where
    /// there is no memory for that.
    fn shrink(&mut self, shard: &'static Shard<A>, backing: &'static A) {
        // It is made anew when it is needed.
        self.order = None;
        let Some(entries) = &self.entries else { return };
        let mut smaller = HashTable::new_in(TableMemory {
            backing,
            start: &shard.start,
        });
        let room = entries.len() + self.promised;
        if smaller
            .try_reserve(room, |entry: &Entry| hash(entry.key))
            .is_err()
        {
            return;
        }
        for entry in entries {
            smaller.insert_unique(hash(entry.key), *entry, |entry| hash(entry.key));
        }
        self.entries = Some(smaller);
    }
}

struct Shard<A: Allocator + 'static> {
    start: AtomicPtr<u8>,
    /// Counts what happens to the blocks of the table, so that what was found may be remembered until something
    /// does. Written by whoever holds the lock.
    changes: AtomicUsize,
    /// No block of the table ever began below the one, and none ended above the other: most addresses that are asked
    /// about are far off, and need no lock. Complements, as all addresses here. Written by whoever holds it.
    lowest: AtomicUsize,
    highest: AtomicUsize,
    table: Lock<Table<A>>,
}

impl<A: Allocator + 'static> Shard<A> {
    constructor! {
        fn new() -> Self {
            Self {
                start: AtomicPtr::new(ptr::null_mut()),
                changes: AtomicUsize::new(0),
                lowest: AtomicUsize::new(!usize::MAX),
                highest: AtomicUsize::new(!0),
                table: Lock::new(Table { entries: None, order: None, promised: 0 }),
            }
        }
    }

    /// Records a block in the table, which is locked and has room.
    fn insert(&self, table: &mut Table<A>, entry: Entry) {
        let start = !entry.key;
        let end = start.saturating_add(entry.capacity);
        if start < !self.lowest.load(Ordering::Relaxed) {
            self.lowest.store(!start, Ordering::Relaxed);
        }
        if end > !self.highest.load(Ordering::Relaxed) {
            self.highest.store(!end, Ordering::Relaxed);
        }
        table.insert(entry);
    }

    /// Whether a block of the table may be at an address. Whoever was given a pointer into one learnt of it by means
    /// that order this after what is read here.
    fn may_hold(&self, address: usize) -> bool {
        address >= !self.lowest.load(Ordering::Relaxed)
            && address < !self.highest.load(Ordering::Relaxed)
    }

    /// Something is about to happen to a block of the table, which is locked.
    fn change(&self) {
        let changes = self.changes.load(Ordering::Relaxed);
        self.changes
            .store(changes.wrapping_add(1), Ordering::Relaxed);
    }
}

const SHARDS: usize = 16;

/// All blocks that are allocations of the backing's own.
pub(crate) struct Large<A: Allocator + 'static> {
    shards: Whole<[Shard<A>; SHARDS]>,
}

/// What a thread remembers of the large string that it resized last: a string that grows step by step is asked
/// about again and again.
#[derive(Clone, Copy)]
pub(crate) struct Memo {
    /// The complement of its address.
    key: usize,
    size: usize,
    /// The count of changes in its table at that time. While it stays the block is as it was, whoever has been
    /// here.
    changes: usize,
    /// Where that is counted.
    count: Option<&'static AtomicUsize>,
}

impl Memo {
    /// Of no block.
    pub(crate) const NONE: Self = Self {
        key: 0,
        size: 0,
        changes: 0,
        count: None,
    };

    /// Whether a block starts at an address, and is of this size.
    #[inline]
    pub(crate) fn tells(&self, address: usize, size: usize) -> bool {
        let Some(count) = self.count else {
            return false;
        };
        // The thread that changed a block and then gave it to this one did so by means that order this after its
        // count.
        self.key == !address && self.size == size && self.changes == count.load(Ordering::Relaxed)
    }
}

impl<A: Allocator + Sync + 'static> Large<A> {
    constructor! {
        pub(crate) fn new() -> Self {
            Self { shards: Whole::new(array![Shard::new(); SHARDS]) }
        }
    }

    fn shard(&'static self, address: usize) -> &'static Shard<A> {
        // Bits that the table itself does not begin with.
        let mixed = (address / ALIGN).wrapping_mul(0x9E37_79B1);
        self.shards.at((mixed >> 20) % SHARDS)
    }

    /// What may be remembered of a block.
    pub(crate) fn memo(&'static self, address: usize, size: usize) -> Memo {
        let count = &self.shard(address).changes;
        Memo {
            key: !address,
            size,
            changes: count.load(Ordering::Relaxed),
            count: Some(count),
        }
    }

    /// Gives a block another size, if one starts there and has room: what may be remembered of it.
    pub(crate) fn resize_in_place(&'static self, address: usize, size: usize) -> Option<Memo> {
        let shard = self.shard(address);
        let mut table = shard.table.lock();
        let entry = table.find(address)?;
        if size > entry.capacity {
            return None;
        }
        shard.change();
        entry.size = size;
        Some(self.memo(address, size))
    }

    /// A new block of `size` bytes with room for `capacity`; null if there is no memory.
    pub(crate) fn alloc(
        &'static self,
        size: usize,
        capacity: usize,
        family: Family,
        backing: &'static A,
    ) -> *mut u8 {
        self.alloc_by(A::allocate, size, capacity, family, backing)
    }

    /// As [`alloc`](Self::alloc), of zeros: of a large block the system gives such pages, each when it is touched.
    pub(crate) fn alloc_zeroed(
        &'static self,
        size: usize,
        capacity: usize,
        family: Family,
        backing: &'static A,
    ) -> *mut u8 {
        self.alloc_by(A::allocate_zeroed, size, capacity, family, backing)
    }

    fn alloc_by(
        &'static self,
        allocate: Allocate<A>,
        size: usize,
        capacity: usize,
        family: Family,
        backing: &'static A,
    ) -> *mut u8 {
        let Some(layout) = layout(capacity.max(size)) else {
            return ptr::null_mut();
        };
        let Ok(block) = allocate(backing, layout) else {
            return ptr::null_mut();
        };
        let block = block.cast::<u8>();
        let address = block.addr().get();
        let shard = self.shard(address);
        let mut table = shard.table.lock();
        if !table.reserve(shard, backing) {
            drop(table);
            // SAFETY: allocated above, with this layout.
            unsafe { backing.deallocate(block, layout) };
            return ptr::null_mut();
        }
        let entry = Entry {
            key: !address,
            size,
            capacity: layout.size(),
            family,
        };
        shard.insert(&mut table, entry);
        block.as_ptr()
    }

    /// Frees the block that starts there.
    ///
    /// # Errors
    ///
    /// [`NotLive`] if none does.
    ///
    /// # Safety
    ///
    /// * Nobody uses the block any more, if one is there.
    pub(crate) unsafe fn free(
        &'static self,
        block: *mut u8,
        backing: &'static A,
    ) -> Result<(), NotLive> {
        let found = {
            let shard = self.shard(block.addr());
            let mut table = shard.table.lock();
            shard.change();
            table.remove(block.addr())
        };
        let (Some(entry), Some(block)) = (found, NonNull::new(block)) else {
            return Err(NotLive);
        };
        // SAFETY: the table held the block as live, so the backing gave it with this layout; the caller
        // promises that nothing uses it.
        unsafe { backing.deallocate(block, entry.layout()) };
        Ok(())
    }

    /// The block at another size; null if there is no memory, and the block stays. `capacity` says how much
    /// room to ask for, given how much there is, if that is not enough or more than enough.
    ///
    /// # Errors
    ///
    /// [`NotLive`] if no block starts there.
    ///
    /// # Safety
    ///
    /// * Nobody else uses the block, if one is there.
    pub(crate) unsafe fn resize(
        &'static self,
        block: *mut u8,
        size: usize,
        capacity: impl Fn(usize) -> usize,
        backing: &'static A,
    ) -> Result<*mut u8, NotLive> {
        let shard = self.shard(block.addr());
        let mut table = shard.table.lock();
        let entry = table.find(block.addr()).ok_or(NotLive)?;
        let wanted = capacity(entry.capacity);
        if wanted == entry.capacity {
            shard.change();
            entry.size = size;
            return Ok(block);
        }
        let (Some(old), Some(layout)) = (NonNull::new(block), layout(wanted)) else {
            return Ok(ptr::null_mut());
        };
        drop(table);
        if !self.promise(backing) {
            return Ok(ptr::null_mut());
        }
        // From here on the block is in no table, so that nobody else can free or move it.
        let taken = {
            let mut table = shard.table.lock();
            shard.change();
            table.remove(block.addr())
        };
        let Some(mut entry) = taken else {
            self.fulfil(None);
            return Err(NotLive);
        };
        // SAFETY: the table held the block as live, so the backing gave it with this layout. The new size is
        // not zero.
        let moved = unsafe { reallocate(backing, old, entry.layout(), layout) };
        if let Some(moved) = moved {
            entry.key = !moved.addr().get();
            entry.size = size;
            entry.capacity = layout.size();
        }
        self.fulfil(Some(entry));
        Ok(moved.map_or(ptr::null_mut(), NonNull::as_ptr))
    }

    /// Promises an entry in every shard; `false` if there is no memory for that.
    fn promise(&'static self, backing: &'static A) -> bool {
        for (index, shard) in self.shards.iter().enumerate() {
            let mut table = shard.table.lock();
            if !table.reserve(shard, backing) {
                drop(table);
                self.shards
                    .iter()
                    .take(index)
                    .for_each(|shard| shard.table.lock().promised -= 1);
                return false;
            }
            table.promised += 1;
        }
        true
    }

    /// Takes a promise back, and puts an entry in its place.
    fn fulfil(&'static self, entry: Option<Entry>) {
        for shard in self.shards.iter() {
            let mut table = shard.table.lock();
            table.promised -= 1;
            if let Some(entry) = entry
                && ptr::eq(shard, self.shard(!entry.key))
            {
                shard.insert(&mut table, entry);
            }
        }
    }

    /// The size of the block that starts there.
    pub(crate) fn size_of(&'static self, address: usize) -> Option<usize> {
        let mut table = self.shard(address).table.lock();
        table.find(address).map(|entry| entry.size)
    }

    /// Bytes that the backing gave for the block that starts there.
    pub(crate) fn room_of(&'static self, address: usize) -> Option<usize> {
        let mut table = self.shard(address).table.lock();
        table.find(address).map(|entry| entry.capacity)
    }

    /// The block that an address lies in. It may be in any shard, so each is asked: no way for what is done often where
    /// nobody oversees.
    pub(crate) fn containing(&'static self, address: usize, backing: &'static A) -> Option<Found> {
        let mut shards = self.shards.iter().filter(|shard| shard.may_hold(address));
        let found = shards.find_map(|shard| shard.table.lock().containing(address, backing));
        found.map(|entry| Found {
            start: !entry.key,
            size: entry.size,
            family: entry.family,
        })
    }

    /// Gives spare room of the tables back.
    pub(crate) fn minimize(&'static self, backing: &'static A) {
        for shard in self.shards.iter() {
            shard.table.lock().shrink(shard, backing);
        }
    }
}

/// The block at another layout of the same alignment.
///
/// # Safety
///
/// * The backing gave the block with the layout `old`, and it is live; neither layout is of size zero.
unsafe fn reallocate(
    backing: &impl Allocator,
    block: NonNull<u8>,
    old: Layout,
    new: Layout,
) -> Option<NonNull<u8>> {
    let moved = if new.size() >= old.size() {
        // SAFETY: the caller's promise; the size grows.
        unsafe { backing.grow(block, old, new) }
    } else {
        // SAFETY: the caller's promise; the size shrinks.
        unsafe { backing.shrink(block, old, new) }
    };
    Some(moved.ok()?.cast())
}

/// The locks of the tables, kept by a thread while it forks.
#[cfg(all(unix, not(miri)))]
pub(crate) struct KeptTables([Kept<'static>; SHARDS]);

#[cfg(all(unix, not(miri)))]
impl KeptTables {
    /// Gives the locks back in the parent.
    pub(crate) fn release(self) {
        self.0.into_iter().for_each(Kept::release);
    }

    /// Gives the locks back in the child.
    pub(crate) fn release_in_child(self) {
        self.0.into_iter().for_each(Kept::release_in_child);
    }
}

#[cfg(all(unix, not(miri)))]
impl<A: Allocator + Sync + 'static> Large<A> {
    /// Takes all locks, for a fork.
    pub(crate) fn keep(&'static self) -> KeptTables {
        KeptTables(std::array::from_fn(|index| {
            self.shards.at(index).table.lock().keep()
        }))
    }
}
