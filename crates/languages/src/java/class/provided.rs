//! What a module provides.

use super::{Class, places_of_constants};
use crate::java::bytes::Reader;

/// A service, and the classes that provide it.
pub type Provided = (Vec<u8>, Vec<Vec<u8>>);

/// What a module provides: the `Module` attribute of a `module-info` class (4.7.25), as the service and its providers.
pub fn provided(class: &Class) -> Option<Vec<Provided>> {
    let bytes = &class.bytes;
    let mut reader = Reader::new(bytes, 8);
    places_of_constants(&mut reader)?;
    reader.skip(6)?;
    // No interfaces, fields or methods.
    reader.skip(6)?;
    let mut services = Vec::new();
    for _ in 0..reader.short()? {
        let name = reader.short()?;
        let length = reader.length()?;
        let start = reader.at();
        reader.skip(length)?;
        if class.text(name) != Some(b"Module") {
            continue;
        }
        let mut module = Reader::new(bytes, start);
        module.skip(6)?;
        let required = usize::from(module.short()?);
        module.skip(required.checked_mul(6)?)?;
        for _exported_then_opened in 0..2 {
            for _ in 0..module.short()? {
                module.skip(4)?;
                let to = usize::from(module.short()?);
                module.skip(to * 2)?;
            }
        }
        let used = usize::from(module.short()?);
        module.skip(used * 2)?;
        for _ in 0..module.short()? {
            let service = module.short()?;
            let mut providers = Vec::new();
            for _ in 0..module.short()? {
                providers.extend(class.class_name(module.short()?).map(<[u8]>::to_vec));
            }
            services.extend(class.class_name(service).map(|name| (name.to_vec(), providers)));
        }
    }
    Some(services)
}
