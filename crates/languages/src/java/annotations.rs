//! The values of annotations that can be asked for while a program runs (the Java virtual machine's specification, 4.7.16 to
//! 4.7.22). Those of types in instructions are left out: no library of the virtual machine gives them out.

use super::bytes::Reader;

/// How deep annotations and lists are looked into.
const DEEPEST: usize = 16;

/// An attribute that holds annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Annotations,
    OfParameters,
    Default,
}

impl Kind {
    /// By the attribute's name.
    pub fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"RuntimeVisibleAnnotations" => Some(Self::Annotations),
            b"RuntimeVisibleParameterAnnotations" => Some(Self::OfParameters),
            b"AnnotationDefault" => Some(Self::Default),
            _ => None,
        }
    }
}

/// The values of an attribute: indices of texts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Values {
    pub texts: Vec<u16>,
    /// The types of classes.
    pub classes: Vec<u16>,
}

impl Values {
    /// Adds those of an attribute that begins here; `None` if it is broken, with what was found till then.
    pub fn add(&mut self, kind: Kind, reader: &mut Reader<'_>) -> Option<()> {
        match kind {
            Kind::Annotations => self.annotations(reader),
            Kind::OfParameters => (0..reader.byte()?).try_for_each(|_| self.annotations(reader)),
            Kind::Default => self.value(reader, 0),
        }
    }

    fn annotations(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        (0..reader.short()?).try_for_each(|_| self.annotation(reader, 0))
    }

    fn annotation(&mut self, reader: &mut Reader<'_>, depth: usize) -> Option<()> {
        reader.skip(2)?;
        (0..reader.short()?).try_for_each(|_| {
            reader.skip(2)?;
            self.value(reader, depth)
        })
    }

    fn value(&mut self, reader: &mut Reader<'_>, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match reader.byte()? {
            b's' => self.texts.push(reader.short()?),
            b'c' => self.classes.push(reader.short()?),
            b'e' => {
                self.classes.push(reader.short()?);
                reader.skip(2)?;
            }
            b'@' => self.annotation(reader, depth + 1)?,
            b'[' => (0..reader.short()?).try_for_each(|_| self.value(reader, depth + 1))?,
            _number => reader.skip(2)?,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, bytes: &[u8], texts: &[u16], classes: &[u16]) {
        let mut values = Values::default();
        values.add(kind, &mut Reader::new(bytes, 0));
        assert_eq!((&values.texts[..], &values.classes[..]), (texts, classes));
    }

    #[test]
    fn texts_and_classes_are_found_in_lists_and_annotations() {
        let annotation = [
            0, 1, 0, 9, 0, 2, 0, 8, b's', 0, 3, 0, 7, b'[', 0, 2, b'c', 0, 4, b'@', 0, 9, 0, 1, 0, 8, b's',
            0, 5,
        ];
        check(Kind::Annotations, &annotation, &[3, 5], &[4]);
        check(
            Kind::OfParameters,
            &[&[1][..], &annotation].concat(),
            &[3, 5],
            &[4],
        );
        check(Kind::Default, &[b'e', 0, 6, 0, 7], &[], &[6]);
    }

    #[test]
    fn broken_and_deep_ones_end() {
        check(Kind::Annotations, &[0, 9, 0, 1], &[], &[]);
        check(Kind::Default, &[b'[', 0, 1].repeat(1000), &[], &[]);
    }
}
