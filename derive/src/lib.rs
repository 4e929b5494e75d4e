//! The derive macro of `outlive`'s `Shareable`. Use it through that crate, which exports the trait
//! and the macro under one name.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DataStruct, DeriveInput, Error, Fields, GenericParam, Generics, Ident, Index, Member, Result,
    Type, parse_macro_input, parse_quote_spanned,
};

/// Implements `outlive::Shareable` for a struct, after checking all that the trait requires.
///
/// The struct must be `#[repr(C)]` or `#[repr(transparent)]`, without `packed`. It must have
/// neither `Drop` nor lifetime parameters. Every field must be `Shareable` itself. So must the type
/// parameters: the derive adds that bound. The definitions of type parameters, and the values of
/// const parameters, become part of the struct's own definition.
///
/// An attribute macro below the derive may change the struct after the derive has seen it. The
/// fields and types that count are those of the struct in the end. A field that was added is a
/// compile error: put such an attribute above the derive.
///
/// ```
/// use outlive::{Fingerprint, Shareable};
///
/// #[derive(Shareable)]
/// #[repr(C)]
/// struct Ring<T, const N: usize> {
///     head: u64,
///     tail: u64,
///     items: [T; N],
/// }
///
/// assert_eq!(Fingerprint::of::<Ring<u32, 8>>(), Fingerprint::of::<Ring<u32, 8>>());
/// assert_ne!(Fingerprint::of::<Ring<u32, 8>>(), Fingerprint::of::<Ring<i32, 8>>());
/// ```
///
/// An error says what to use instead:
///
/// ```compile_fail
/// #[derive(outlive::Shareable)]
/// #[repr(C)]
/// struct Job {
///     finished: bool, // any byte but 0 and 1 would be undefined behaviour: use `u8`
/// }
/// ```
#[proc_macro_derive(Shareable)]
pub fn derive_shareable(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    shareable(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn shareable(input: &DeriveInput) -> Result<TokenStream> {
    let data = struct_data(input)?;
    let errors = [layout(input), no_lifetimes(&input.generics), no_pointers(&data.fields)];
    if let Some(all) = errors.into_iter().filter_map(Result::err).reduce(both) {
        return Err(all);
    }

    let name = &input.ident;
    let plain_name = name.unraw().to_string();
    let fields = data.fields.iter().zip(members(&data.fields)).map(|(field, member)| {
        let field_name = match &member {
            Member::Named(name) => name.unraw().to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        };
        // The type is inferred, because an attribute below the derive may have changed it from what
        // was shown here.
        let found = Ident::new("__outlive_field", Span::mixed_site());
        let inferred = quote_spanned! {field.ty.span()=>
            ::outlive::Part::inferred(
                #field_name,
                ::core::mem::offset_of!(Self, #member),
                |whole: &Self| { let Self { #member: #found, .. } = whole; #found },
            )
        };
        quote!(#inferred,)
    });
    let all_fields = members(&data.fields);
    let parameters = input.generics.params.iter().filter_map(parameter);

    let mut generics = input.generics.clone();
    for parameter in input.generics.type_params() {
        let ident = &parameter.ident;
        generics.make_where_clause().predicates.push(parse_quote_spanned!(ident.span()=> #ident: ::outlive::Shareable));
    }
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();

    let no_drop_glue = format!(
        "`{plain_name}` has drop glue, and cannot be shared: a process that dies drops nothing, and what others still \
         use must not be dropped by one of them; remove its `Drop`, and clean up in a function that users call"
    );
    let no_drop_glue = quote_spanned! {name.span()=>
        ::core::assert!(!::core::mem::needs_drop::<Self>(), #no_drop_glue);
    };
    // An attribute below the derive may have added fields. The check does not have the span of the
    // name, where the compiler would propose changes.
    let no_further_field = quote! {
        let _no_further_field: fn(&Self) = |whole| { let Self { #(#all_fields: _),* } = whole; };
    };
    // Without parameters everything is known here, so the check need not wait for a segment of this
    // type.
    let all_is_known = input.generics.params.is_empty();
    let check_now =
        all_is_known.then(|| quote!(const _: &::outlive::Definition = <#name as ::outlive::Shareable>::DEFINITION;));
    // Keeps this out of the compiler's list of "other types that implement". For a type with
    // parameters it would also hide which parameter is at fault.
    let not_advice = all_is_known.then(|| quote!(#[diagnostic::do_not_recommend]));

    Ok(quote! {
        // SAFETY: repr(C) or transparent. The patterns name each field that the struct has in the
        // end, and refer to it, so the struct is not packed, and no enum or union. The definition
        // of each field's type is used, so that type is `Shareable`: valid for all bytes, free of
        // pointers, of stable layout. The assertion rejects drop glue.
        #[automatically_derived]
        #not_advice
        unsafe impl #impl_generics ::outlive::Shareable for #name #type_generics #where_clause {
            const DEFINITION: &'static ::outlive::Definition = {
                #no_drop_glue
                #no_further_field
                &::outlive::Definition::structure::<Self>(#plain_name, const { &[#(#parameters,)* #(#fields)*] })
            };
        }
        #check_now
    })
}

fn struct_data(input: &DeriveInput) -> Result<&DataStruct> {
    let message = match &input.data {
        Data::Struct(data) => return Ok(data),
        Data::Enum(_) => {
            "an enum cannot be `Shareable`: a byte from another process may name no variant, which is undefined \
             behaviour; store an integer, and convert it with `TryFrom` when it is read"
        }
        Data::Union(_) => {
            "a union cannot be `Shareable`: no other process can know which field is there; store an array of bytes \
             or the largest field, and convert it when it is read"
        }
    };
    Err(Error::new(input.ident.span(), message))
}

fn layout(input: &DeriveInput) -> Result<()> {
    let mut stable = false;
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("repr")) {
        stable |= stable_layout(attribute)?;
    }
    if stable {
        return Ok(());
    }
    Err(Error::new(
        input.ident.span(),
        "a `Shareable` struct needs `#[repr(C)]` (or `#[repr(transparent)]` around one field): without it, two programs \
         may lay it out differently",
    ))
}

fn stable_layout(repr: &Attribute) -> Result<bool> {
    let mut stable = false;
    repr.parse_nested_meta(|hint| {
        if hint.path.is_ident("packed") {
            return Err(hint.error(
                "a `Shareable` struct cannot be `packed`: references to its fields would be unaligned; order the fields \
                 by size to save room",
            ));
        }
        stable |= hint.path.is_ident("C") || hint.path.is_ident("transparent");
        if hint.input.peek(syn::token::Paren) {
            // The argument of `align`, which rustc checks.
            let argument;
            syn::parenthesized!(argument in hint.input);
            argument.parse::<TokenStream>()?;
        }
        Ok(())
    })?;
    Ok(stable)
}

fn no_lifetimes(generics: &Generics) -> Result<()> {
    let error = |parameter: &syn::LifetimeParam| {
        Error::new(
            parameter.span(),
            "a `Shareable` struct cannot have a lifetime parameter: what it borrows is in the memory of one process; store \
             an index or offset",
        )
    };
    generics.lifetimes().map(error).reduce(both).map_or(Ok(()), Err)
}

/// This only spares users the compiler's first complaint, that a pointer is not `Send`. Pointers
/// behind the name of a type are rejected by the bounds.
fn no_pointers(fields: &Fields) -> Result<()> {
    let error = |field: &syn::Field| {
        let kind = pointer_kind(&field.ty)?;
        Some(Error::new_spanned(
            &field.ty,
            format!("{kind} cannot be shared: it means something in one process only; store an index or offset"),
        ))
    };
    fields.iter().filter_map(error).reduce(both).map_or(Ok(()), Err)
}

fn pointer_kind(ty: &Type) -> Option<&'static str> {
    match ty {
        Type::Ptr(_) => Some("a pointer"),
        Type::Reference(_) => Some("a reference"),
        Type::BareFn(_) => Some("a function pointer"),
        Type::Array(array) => pointer_kind(&array.elem),
        Type::Group(group) => pointer_kind(&group.elem),
        Type::Paren(paren) => pointer_kind(&paren.elem),
        _ => None,
    }
}

fn members(fields: &Fields) -> impl Iterator<Item = Member> + '_ {
    fields.iter().enumerate().map(|(index, field)| match &field.ident {
        Some(name) => Member::Named(name.clone()),
        None => Member::Unnamed(Index { index: index as u32, span: Span::call_site() }),
    })
}

/// What a parameter adds to the definition, even if no field shows it.
fn parameter(parameter: &GenericParam) -> Option<TokenStream> {
    match parameter {
        GenericParam::Type(ty) => {
            let ident = &ty.ident;
            let name = ident.unraw().to_string();
            Some(quote!(::outlive::Part::type_parameter::<#ident>(#name)))
        }
        GenericParam::Const(constant) => {
            let ident = &constant.ident;
            let name = ident.unraw().to_string();
            // Integers, `bool` and `char` are what a const parameter may be, and all of them can be
            // cast.
            Some(quote!(::outlive::Part::const_parameter(#name, #ident as u128)))
        }
        GenericParam::Lifetime(_) => None,
    }
}

fn both(mut first: Error, second: Error) -> Error {
    first.combine(second);
    first
}
