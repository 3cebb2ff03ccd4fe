//! The published figures, from their table.

use crate::counts::Counts;

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
    /// Vulnerabilities that it takes away container-wide, of 42.
    pub wide_taken: usize,
    /// Vulnerabilities that it takes away for the main program, of 42.
    pub main_taken: usize,
    /// Vulnerabilities that it takes away for the main program with arguments, of 42.
    pub main_arguments_taken: usize,
}

impl Published {
    /// Whether these figures of the same image are worse than what was published.
    pub fn is_missed_by(&self, counts: &Counts) -> bool {
        counts.denied < self.denied || counts.main_denied < self.main_denied
    }
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
            wide_taken: number()?,
            main_taken: number()?,
            main_arguments_taken: number()?,
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
        assert!((average(|row| row.wide_taken) - 6.9).abs() < 0.1);
        assert!((average(|row| row.main_arguments_taken) - 22.5).abs() < 0.1);
        assert_eq!(of("nginx").map(|row| row.main_denied), Some(204));
        assert_eq!(of("none"), None);
    }
}
