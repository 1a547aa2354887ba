//! How a person proves to be it.
