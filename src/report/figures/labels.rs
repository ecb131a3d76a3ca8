//! Where labels go, so that none covers another.

use super::prelude::*;

/// The titles of runs with their marks, in rows.
pub(super) struct Legend {
    items: Vec<Item>,
    /// Its height in lines.
    lines: i32,
}

struct Item {
    /// In up to two lines.
    title: Vec<String>,
    /// Its left upper corner in the legend.
    place: (i32, i32),
    series: usize,
}

/// Room for a mark before its title, and between items.
const BEFORE: i32 = 14;
const BETWEEN: i32 = 22;

impl Legend {
    /// Arranges titles, each with its series, in rows of at most so many pixels.
    pub(super) fn of<'a>(runs: impl IntoIterator<Item = (&'a str, usize)>, width: i32) -> Self {
        let (mut items, mut left, mut above, mut row) = (Vec::new(), 0, 0, 1);
        for (title, series) in runs {
            let shown = wrapped(title, LABEL, width - BEFORE, 2);
            let wide = BEFORE + shown.iter().map(|line| width_of(line, LABEL)).max().unwrap_or_default();
            if left > 0 && left + wide > width {
                (left, above, row) = (0, above + row, 1);
            }
            row = row.max(shown.len() as i32);
            items.push(Item { title: shown, place: (left, above * LINE), series });
            left += wide + BETWEEN;
        }
        Self { items, lines: above + row }
    }

    pub(super) fn height(&self) -> i32 {
        self.lines * LINE
    }

    /// Draws it, the middle of its first row at `at.1`.
    pub(super) fn draw(&self, canvas: &Canvas, at: (i32, i32)) -> Result<()> {
        for Item { title, place: (left, top), series } in &self.items {
            let (x, y) = (at.0 + left, at.1 + top);
            mark(canvas, *series, (x + 5, y))?;
            lines(canvas, title, (x + BEFORE, y), &label(series_color(*series)), HPos::Left)?;
        }
        Ok(())
    }
}

/// A rectangle: left, top, right, bottom.
pub(super) type Area = (i32, i32, i32, i32);

/// Whether two rectangles have a pixel in common.
pub(super) fn overlap(a: Area, b: Area) -> bool {
    a.0 <= b.2 && b.0 <= a.2 && a.1 <= b.3 && b.1 <= a.3
}

/// The middles of labels, each as near to its wished middle as the others allow: (wished middle, height). They stay
/// between two pixels as long as there is room.
pub(super) fn spread(wished: &[(i32, i32)], (top, base): (i32, i32)) -> Vec<i32> {
    let mut order: Vec<usize> = (0..wished.len()).collect();
    order.sort_by_key(|i| wished[*i].0);
    // Labels that would overlap become one block, centred on the mean of what they wish.
    let mut blocks: Vec<(Vec<usize>, i32)> = Vec::new();
    for i in order {
        let (middle, height) = wished[i];
        let mut block = (vec![i], middle - height / 2);
        while let Some(above) = blocks.pop_if(|above| above.1 + height_of(&above.0, wished) > block.1) {
            block.0 = [above.0, block.0].concat();
            block.1 = start_of(&block.0, wished);
        }
        blocks.push(block);
    }
    let mut middles = vec![0; wished.len()];
    let mut free = base;
    for (members, start) in blocks.iter().rev() {
        let height = height_of(members, wished);
        let mut y = (*start).min(free - height).max(top);
        free = y;
        for i in members {
            middles[*i] = y + wished[*i].1 / 2;
            y += wished[*i].1;
        }
    }
    middles
}

fn height_of(members: &[usize], wished: &[(i32, i32)]) -> i32 {
    members.iter().map(|i| wished[*i].1).sum()
}

/// Where a block starts whose labels are, on average, where they wish to be.
fn start_of(members: &[usize], wished: &[(i32, i32)]) -> i32 {
    let mut above = 0;
    let mut sum = 0;
    for i in members {
        let (middle, height) = wished[*i];
        sum += middle - (above + height / 2);
        above += height;
    }
    sum / members.len().max(1) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_legend_breaks_between_titles() {
        let titles: Vec<String> = (0..4).map(|i| format!("A network of name {i}")).collect();
        let legend = Legend::of(titles.iter().map(|title| (title.as_str(), 0)), 330);
        assert_eq!(legend.items.iter().map(|item| item.place.1).collect::<Vec<_>>(), [0, 0, LINE, LINE]);
        assert_eq!(legend.height(), 2 * LINE);
        let fits = |item: &Item| item.title.iter().all(|line| item.place.0 + BEFORE + width_of(line, LABEL) <= 330);
        assert!(legend.items.iter().all(fits));
    }

    #[test]
    fn a_long_title_has_two_lines_in_a_legend() {
        let title = "По 200 зображень кожної цифри, клас за класом";
        let legend = Legend::of([(title, 0), ("b", 1)], 300);
        assert_eq!(legend.items[0].title.join(" ").replace('\u{a0}', " "), title);
        assert!(
            legend.items[0].title[0].starts_with("По\u{a0}200\u{a0}"),
            "as the page's text: {:?}",
            legend.items[0].title
        );
        assert_eq!((legend.items[0].title.len(), legend.items[1].place.1, legend.height()), (2, 2 * LINE, 3 * LINE));
    }

    #[test]
    fn labels_stay_where_they_wish_if_they_can() {
        assert_eq!(spread(&[(50, 16), (100, 16)], (0, 200)), [50, 100]);
        assert_eq!(spread(&[(100, 16), (50, 16)], (0, 200)), [100, 50]);
        assert!(spread(&[], (0, 200)).is_empty());
    }

    #[test]
    fn labels_that_would_overlap_are_moved_apart_in_their_order() {
        assert_eq!(spread(&[(100, 16), (104, 16)], (0, 200)), [94, 110]);
        assert_eq!(spread(&[(104, 16), (100, 16)], (0, 200)), [110, 94]);
        let middles = spread(&[(100, 16), (100, 32), (101, 16), (30, 16)], (0, 200));
        assert_eq!(middles[3], 30);
        assert!(middles[0] + 24 <= middles[1] && middles[1] + 24 <= middles[2], "{middles:?}");
    }

    #[test]
    fn labels_stay_between_the_ends() {
        assert_eq!(spread(&[(198, 16), (199, 16)], (0, 200)), [176, 192]);
        assert_eq!(spread(&[(2, 16)], (0, 200)), [8]);
        let near_the_end = spread(&[(170, 16), (190, 32)], (0, 200));
        assert!(near_the_end[0] + 8 <= near_the_end[1] - 16 && near_the_end[1] + 16 <= 200, "{near_the_end:?}");
    }
}
