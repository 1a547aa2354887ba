//! How much of a message is looked at. Beyond a limit octets are still counted and kept in place; they are
//! only no longer taken apart.

/// Parts inside parts, the message itself included. A container any deeper is a leaf.
pub const DEPTH_MAX: usize = 100;

/// Parts of one message, the message itself included. Later delimiters are text of the part they stand in.
pub const PARTS_MAX: usize = 10_000;

/// Octets of one header section whose fields are read.
pub const HEADER_MAX: usize = 1 << 20;

/// Octets of a field's name; a line with a longer one is no field. RFC 5322 §2.1.1 allows no longer line.
pub const FIELD_NAME_MAX: usize = 997;

/// Octets of a boundary. RFC 2046 §5.1.1 allows 70; a longer line than this could not carry it.
pub const BOUNDARY_MAX: usize = 990;

/// Octets at the start of a line that decide what the line is: two dashes, a boundary, two dashes and room to
/// see that only blanks follow; or a field's name and its colon.
pub(crate) const LINE_HEAD: usize = 1024;

/// Addresses in one envelope field, group marks included.
pub const ADDRESSES_MAX: usize = 10_000;

/// Parameters of one Content-Type or Content-Disposition.
pub const PARAMETERS_MAX: usize = 100;

/// Languages in one Content-Language.
pub const LANGUAGES_MAX: usize = 100;

/// Octets of memory for all field values of a summary, with what holds them; fields that would need more count
/// as absent.
pub const SUMMARY_MAX: usize = 8 << 20;
