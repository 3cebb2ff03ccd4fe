//! The published figures, from their table.

const TABLE: &str = include_str!("published.tsv");

/// One image of the published evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Calls that it denies container-wide, of 335.
    pub denied: usize,
    /// Calls that it denies for the main program, of 335.
    pub main_denied: usize,
    /// Calls that it restricts by argument.
    pub restricted: usize,
}

/// Every image of the published table, by name.
pub fn all() -> impl Iterator<Item = (&'static str, Published)> {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|line| {
        let mut fields = line.split('\t');
        let name = fields.next()?;
        let mut number = || fields.next()?.parse::<usize>().ok();
        let (denied, more, restricted) = (number()?, number()?, number()?);
        let published = Published {
            denied,
            main_denied: denied + more,
            restricted,
        };
        Some((name, published))
    })
}

/// The figures of one image.
pub fn of(name: &str) -> Option<Published> {
    all()
        .find(|(image, _)| *image == name)
        .map(|(_, published)| published)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_averages_that_were_published_with_it() {
        let rows: Vec<Published> = all().map(|(_, published)| published).collect();
        assert_eq!(rows.len(), 27);
        let average = |figure: fn(&Published) -> usize| {
            rows.iter().map(figure).sum::<usize>() as f64 / rows.len() as f64
        };
        // As its text rounds them.
        assert!((average(|row| row.denied) - 145.8).abs() < 0.1);
        assert!((average(|row| row.main_denied) - 180.4).abs() < 0.1);
        assert!((average(|row| row.restricted) - 12.8).abs() < 0.1);
        assert_eq!(of("nginx").map(|row| row.main_denied), Some(204));
        assert_eq!(of("none"), None);
    }
}
