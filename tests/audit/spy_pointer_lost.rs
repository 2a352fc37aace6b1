//! R54: a spy hands back in its Pre calls what it made of the pointer in its Post calls. A safe spy cannot help it.
#![cfg(feature = "export")]
