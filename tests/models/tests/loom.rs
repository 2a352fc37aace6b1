//! The heap holds in every schedule, and a heap with a mistake does not.

use models::scenarios;

#[test]
fn a_return_against_the_owner() {
    scenarios::a_return_against_the_owner();
}

#[test]
fn two_returns_of_one_block() {
    scenarios::two_returns_of_one_block();
}

#[test]
fn the_owner_and_another_free_one_block() {
    scenarios::the_owner_and_another_free_one_block();
}

#[test]
fn an_end_against_a_return_and_an_adoption() {
    scenarios::an_end_against_a_return_and_an_adoption();
}

#[test]
fn the_last_blocks_of_an_orphan() {
    scenarios::the_last_blocks_of_an_orphan();
}

#[test]
fn a_return_against_an_adoption() {
    scenarios::a_return_against_an_adoption();
}

#[test]
fn an_identity_again() {
    scenarios::an_identity_again();
}

#[test]
fn told_again() {
    scenarios::told_again();
}

#[test]
fn told_by_two() {
    scenarios::told_by_two();
}

#[test]
fn questions() {
    scenarios::questions();
}

/// The models can fail: each mistake is seen.
mod mistakes {
    use models::broken;

    #[test]
    #[should_panic(expected = "two frees are told of")]
    fn a_state_is_stored_and_not_exchanged() {
        broken::stores_instead_of_exchanging::scenarios::the_owner_and_another_free_one_block();
    }

    #[test]
    #[should_panic(expected = "memory stays")]
    fn an_owner_is_not_told_again() {
        broken::stays_told::scenarios::told_again();
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn what_was_told_is_not_released() {
        broken::tells_without_release::scenarios::told_by_two();
    }

    #[test]
    #[should_panic(expected = "memory stays")]
    fn what_was_returned_is_not_collected_when_a_thread_ends() {
        broken::gives_up_without_collecting::scenarios::an_end_against_a_return_and_an_adoption();
    }

    #[test]
    #[should_panic(expected = "Causality violation")]
    fn the_next_slab_is_read_too_late() {
        broken::reads_the_next_after_collecting::scenarios::told_again();
    }

    #[test]
    #[should_panic(expected = "goes at once")]
    fn the_depot_does_not_look() {
        broken::does_not_visit::scenarios::the_last_blocks_of_an_orphan();
    }

    #[test]
    #[should_panic]
    fn the_depot_takes_what_has_an_owner() {
        broken::visits_what_has_an_owner::scenarios::a_return_against_an_adoption();
    }

    #[test]
    #[should_panic]
    fn a_slab_melts_twice() {
        broken::visits_what_was_melted::scenarios::the_last_blocks_of_an_orphan();
    }

    #[test]
    #[should_panic(expected = "two frees are told of")]
    fn two_frees_are_not_told_apart() {
        broken::collects_what_is_not_there::scenarios::the_owner_and_another_free_one_block();
    }
}
