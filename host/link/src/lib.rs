//! Chicory's linker: it merges the core modules of a component into one.
//!
//! Compilers that link dynamically produce components of many modules, which share a memory and a table and
//! import thousands of each other's functions. All of this is linked again for every sandbox. In a single
//! module all offsets are known, so its tables and its memory become images that are made once.
//!
//! Must not know languages, nor who runs the component.
//!
//! ```
//! use chicory_link::{Linking, link};
//!
//! // One module has a memory, which a second one fills and a third one reads.
//! let component = wat::parse_str(r#"(component
//!     (core module $memory (memory (export "memory") 1))
//!     (core module $data (import "a" "memory" (memory 1)) (data (i32.const 16) "\2a"))
//!     (core module $code (import "a" "memory" (memory 1))
//!         (func (export "answer") (result i32) (i32.load (i32.const 16))))
//!     (core instance $a (instantiate $memory))
//!     (core instance (instantiate $data (with "a" (instance $a))))
//!     (core instance $b (instantiate $code (with "a" (instance $a))))
//!     (func (export "answer") (result u32) (canon lift (core func $b "answer"))))"#)?;
//!
//! let Linking::Linked { component, modules } = link(&component)? else {
//!     panic!("there is nothing to link");
//! };
//! assert_eq!(modules, 3);
//! println!("{modules} modules became one, in {} bytes", component.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod component;
mod constant;
mod encode;
mod error;
mod group;
mod kind;
mod layout;
mod library;
mod rebuild;
mod used;

use wasmparser::{Parser, Validator, WasmFeatures};

pub use crate::error::LinkError;

use crate::component::{Component, pieces};
use crate::constant::Constants;
use crate::encode::encode;
use crate::group::Group;
use crate::layout::Layout;
use crate::rebuild::rebuild;
use crate::used::Used;

/// The result of linking.
#[derive(Debug)]
pub enum Linking {
    /// A component that does the same with fewer modules.
    Linked {
        /// The component.
        component: Vec<u8>,
        /// How many modules became one.
        modules: usize,
    },
    /// There is nothing to gain, because no module fills another's table or memory.
    Nothing,
}

/// Links the core modules of `component`. The same bytes give the same bytes.
///
/// # Errors
/// Says why the component can't be linked. It can be used as it is.
pub fn link(component: &[u8]) -> Result<Linking, LinkError> {
    if !Parser::is_component(component) {
        return Ok(Linking::Nothing);
    }
    // The rest relies on this: ranges are inside the file, and indices refer to something.
    validate(component)?;
    let pieces = pieces(component)?;
    let parts = Component::read(&pieces)?;
    let group = Group::of(&parts)?;
    if !group.is_dynamic() {
        return Ok(Linking::Nothing);
    }
    if group.starts() {
        return LinkError::because("one of its modules runs code when it is instantiated");
    }
    let used = Used::of(&group, group.exposed(&parts)?)?;
    let constants = Constants::of(&group, &used);
    let layout = Layout::of(&group, &used, constants)?;
    let linked = encode(&group, &used, &layout)?;
    let component = rebuild(component, &pieces, &parts, &group, &linked)?;
    validate(&component).map_err(LinkError::Invalid)?;
    Ok(Linking::Linked {
        component,
        modules: group.members.len(),
    })
}

fn validate(component: &[u8]) -> wasmparser::Result<()> {
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    validator.validate_all(component).map(drop)
}
