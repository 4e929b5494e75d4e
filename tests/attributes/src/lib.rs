//! For `tests/compile_fail/attribute`: what stands below a derive is expanded after it.

use proc_macro::TokenStream;

/// Puts its own argument in the place of the item.
#[proc_macro_attribute]
pub fn becomes(item: TokenStream, _shown_to_the_derive: TokenStream) -> TokenStream {
    item
}
