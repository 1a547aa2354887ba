//! The simulation of the whole house under a seeded clock: not begun.
