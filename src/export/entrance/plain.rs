//! Entrances where there is nothing to note, or no way that is known of this machine.

/// What C calls. The function is written as it would be without; in its body `QUIET` is known.
macro_rules! entrance {
    ($(#[$attribute:meta])* $visible:vis extern "system" fn $name:ident(
        $($argument:ident: $type:ty),* $(,)?
    ) $(-> $result:ty)? $body:block) => {
        $(#[$attribute])*
        $visible extern "system" fn $name($($argument: $type),*) $(-> $result)? {
            #[allow(dead_code, reason = "not every function has a short way")]
            const QUIET: bool = false;
            $body
        }
    };
    ($(#[$attribute:meta])* $visible:vis unsafe extern "system" fn $name:ident(
        $($argument:ident: $type:ty),* $(,)?
    ) $(-> $result:ty)? $body:block) => {
        $(#[$attribute])*
        $visible unsafe extern "system" fn $name($($argument: $type),*) $(-> $result)? {
            #[allow(dead_code, reason = "not every function has a short way")]
            const QUIET: bool = false;
            $body
        }
    };
}
