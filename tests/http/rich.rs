//! What goes beyond `/execute`: `/v1/run` and all that it tells, `/v1/check`, `/v1/packages`, the API's description.

mod check;
mod description;
mod errors;
mod figures;
mod files;
mod hints;
mod identity;
mod packages;
mod stream;
mod usage;
mod values;
