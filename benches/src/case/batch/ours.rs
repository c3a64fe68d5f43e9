//! The batch of this library.

use super::Way;
use crate::Result;
use crate::database::Target;
use crate::table::plain;

/// None until the library has one.
#[allow(clippy::unused_async)] // It will connect.
pub(super) async fn batch(_: &Target, _: &[plain::Model]) -> Result<Option<Box<dyn Way>>> {
    Ok(None)
}
