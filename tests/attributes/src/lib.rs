//! For `tests/compile_fail/attribute`: an attribute below a derive is expanded after the derive.

use proc_macro::TokenStream;

/// Replaces the item with the attribute's argument.
#[proc_macro_attribute]
pub fn becomes(item: TokenStream, _shown_to_the_derive: TokenStream) -> TokenStream {
    item
}
