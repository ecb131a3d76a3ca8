//! The runs of a study's grid: a ranking, and a matrix of accuracies.

use super::comparisons::{interval, no_interval, no_test};
use super::prelude::*;
use crate::report::figures::{Drawing, RankedRun};
use crate::results::{AnyRun, IntervalBasis, NoInterval, Ranked};
use crate::study::{Axis, Cell, Section, Study, Table, axes, cells};

/// The runs best first, each with its interval, and its difference to the best; below it, why intervals or tests are missing. Empty
/// without two runs that have results.
pub(super) fn ranking(b: &Builder) -> Result<Vec<Block>> {
    let ranked = b.results.ranking(b.study);
    if ranked.len() < 2 {
        return Ok(Vec::new());
    }
    let several = ranked.iter().any(|run| run.result.seeds.len() > 1);
    let form = b.lang.numbers;
    // A column of dashes alone is left out.
    let intervals = ranked.iter().any(|run| run.result.accuracy_interval().is_ok());
    let tests = ranked.iter().any(|run| run.against_best.is_some_and(|against| against.test.is_ok()));
    let size = |run: &Ranked| b.results.models.get(&run.result.plan.model).map(|model| model.parameters);
    let columns = Columns::<&Ranked>::new()
        .column("rank", Key, |run| run.rank.to_string())
        .column("run", Text, |run| b.run_title(&run.cell.run).to_owned())
        .column(if several { "mean_accuracy" } else { "test_accuracy" }, Number, |run| {
            form.percent(run.result.accuracy(), 2)
        })
        .column("interval", LongNumber, |run| accuracy_interval(b, run))
        .when(intervals)
        .column("parameters", Number, |run| size(run).map_or_else(|| "–".into(), |n| form.count(n)))
        .column("to_best", Number, |run| {
            run.against_best.map_or_else(|| "–".into(), |against| form.points(against.difference, 2))
        })
        .column("p_holm", Number, |run| match run.against_best.and_then(|against| against.test.ok()) {
            None => Ok("–".into()),
            Some(test) if test.p < 0.001 => b.phrase("run.p_below"),
            Some(test) => Ok(form.fixed(test.p, 3).into()),
        })
        .when(tests);
    let values = context! { n => ranked.len(), several, intervals, over => basis(&ranked) };
    let caption = b.text("training.ranking", values)?;
    let mut blocks = vec![Block::Table(b.table(caption, &columns, &ranked)?)];
    let reasons = missing(b, &ranked)?;
    if !reasons.is_empty() {
        let values = context! { reasons, dashes => intervals || tests };
        blocks.push(Block::paragraph(b.text("training.ranking_without", values)?));
    }
    // Means over seeds have more digits than are printed.
    if several {
        blocks.push(Block::paragraph(b.phrase("training.before_rounding")?));
    }
    Ok(blocks)
}

/// The same as a figure.
pub(super) fn ranking_figure(b: &Builder, name: &str) -> Result<Option<Drawing>> {
    let ranked = b.results.ranking(b.study);
    if ranked.len() < 2 {
        return Ok(None);
    }
    let several = ranked.iter().any(|run| run.result.seeds.len() > 1);
    let rows = ranked.iter().map(|run| RankedRun {
        title: b.run_title(&run.cell.run),
        accuracy: run.result.accuracy(),
        interval: run.result.accuracy_interval(),
        is_best: run.rank == 1,
    });
    let rows: Vec<RankedRun> = rows.collect();
    figures::ranking(name, &rows, several, b.lang).map(Some)
}

/// What the tests of the differences to the best are over, in a word for the templates; empty where there is none.
fn basis(ranked: &[Ranked]) -> &'static str {
    let tests = ranked.iter().filter_map(|run| run.against_best?.test.ok());
    match tests.map(|test| test.over).next() {
        Some(IntervalBasis::Seeds) => "seeds",
        Some(IntervalBasis::Images) => "images",
        None => "",
    }
}

/// Why runs have no interval, and differences no test: each reason once.
fn missing(b: &Builder, ranked: &[Ranked]) -> Result<Vec<String>> {
    let of_runs = ranked.iter().filter_map(|run| run.result.accuracy_interval().err());
    let of_tests = ranked.iter().filter_map(|run| run.against_best?.test.err());
    let mut found = Vec::new();
    let intervals = of_runs.map(|reason| no_interval(reason, b.lang));
    for reason in intervals.chain(of_tests.map(|reason| no_test(reason, b.lang))) {
        let reason = reason?;
        if !found.contains(&reason) {
            found.push(reason);
        }
    }
    Ok(found)
}

/// Which runs are the best, and how many others are not told apart from them. `None` without two runs that have results.
pub(super) fn sentence(b: &Builder) -> Result<Option<RichText>> {
    let ranked = b.results.ranking(b.study);
    if ranked.len() < 2 {
        return Ok(None);
    }
    let (best, others) = ranked.split_at(ranked.partition_point(|run| run.rank == 1));
    let tests: Vec<_> = others.iter().filter_map(|run| Some(run.against_best?.test)).collect();
    let reason = tests.iter().find_map(|test| test.err());
    let ranks = |section: &Section| section.tables.contains(&Table::Ranking);
    let number = b.training.iter().position(ranks).unwrap_or_default() + 1;
    let values = context! {
        best => best.iter().map(|run| b.run_title(&run.cell.run).to_owned()).collect::<Vec<_>>(),
        accuracy => b.lang.numbers.percent(best[0].result.accuracy(), 2),
        n => ranked.len(),
        others => others.len(),
        tested => tests.iter().filter(|test| test.is_ok()).count(),
        open => tests.iter().filter(|test| test.is_ok_and(|test| !test.tells_apart())).count(),
        several => best[0].result.seeds.len() > 1,
        over => basis(&ranked),
        two_seeds => reason == Some(NoInterval::TwoSeeds),
        reason => reason.map(|reason| no_test(reason, b.lang)).transpose()?,
        section => b.section_link(SectionId::Training(number), &format!("training-{number}"))?,
    };
    b.text("summary.ranking", values).map(Some)
}

/// The interval of the accuracy beside it, which is a mean over seeds where there are several.
fn accuracy_interval(b: &Builder, run: &Ranked) -> Result<RichText> {
    let said = match run.result.accuracy_interval() {
        Ok((bounds, IntervalBasis::Seeds)) => {
            let values = context! { interval => interval(bounds, b.lang)?, n => run.result.seeds.len() };
            b.lang.say("training.over_n_seeds", values)?
        }
        Ok((bounds, IntervalBasis::Images)) => interval(bounds, b.lang)?,
        Err(_) => "–".to_owned(),
    };
    Ok(RichText::styled(InlineStyle::Unbroken, said))
}

/// The grid's lists with several values, each with its place among all.
fn lists(study: &Study) -> Vec<(usize, Axis)> {
    let Some(grid) = &study.grid else { return Vec::new() };
    axes(grid).into_iter().enumerate().filter(|(_, axis)| axis.names.len() > 1).collect()
}

/// The places of a run in all lists of the grid but the last one with several values: runs that share these are a row, and share a
/// panel of curves. `None` for a run that is not of the grid, or in a grid of one list.
pub(super) fn row_of(study: &Study, run: &str) -> Option<Vec<usize>> {
    let lists = lists(study);
    let [_, .., (last, _)] = lists.as_slice() else { return None };
    let mut places = cells(&axes(study.grid.as_ref()?)).into_iter().find(|cell| cell.run == run)?.places;
    places.remove(*last);
    Some(places)
}

/// The place of a run in the last list of the grid with several values. `None` as in [`row_of`].
pub(super) fn column_of(study: &Study, run: &str) -> Option<usize> {
    let lists = lists(study);
    let [_, .., (last, _)] = lists.as_slice() else { return None };
    let cell = cells(&axes(study.grid.as_ref()?)).into_iter().find(|cell| cell.run == run)?;
    cell.places.get(*last).copied()
}

/// Accuracies: a row for each value of the first list with several, a column for each of the second; a group of rows for each
/// combination of the others. `None` with fewer than two such lists.
pub(super) fn matrix(b: &Builder) -> Result<Option<TableBlock>> {
    let (Some(grid), lists) = (&b.study.grid, lists(b.study)) else { return Ok(None) };
    let [rows, columns, others @ ..] = lists.as_slice() else { return Ok(None) };
    let cells = cells(&axes(grid));
    let ranked = b.results.ranking(b.study);
    let is_best = |run: &str| ranked.iter().any(|of| of.rank == 1 && of.cell.run == run);
    let find = |places: &[(usize, usize)]| {
        let is_at = |cell: &&Cell| places.iter().all(|(list, place)| cell.places[*list] == *place);
        cells.iter().find(is_at).map(|cell| accuracy(b, &cell.run, is_best(&cell.run)))
    };
    // A row is its place in the first list, with the places in the other ones.
    let mut table = Columns::<(usize, Vec<(usize, usize)>)>::new()
        .column(heading(b, &rows.1)?, Text, |(place, _)| label(b, &rows.1, *place));
    for place in 0..columns.1.names.len() {
        let (find, rows, columns) = (&find, rows.0, columns.0);
        table = table.column(RichText::from(label(b, &lists[1].1, place)), Number, move |(row, fixed)| {
            let places: Vec<(usize, usize)> = fixed.iter().copied().chain([(rows, *row), (columns, place)]).collect();
            find(&places).unwrap_or_else(|| Ok("–".into()))
        });
    }
    let groups = combinations(others).into_iter().map(|fixed| {
        let names: Vec<String> =
            others.iter().zip(&fixed).map(|((_, axis), (_, place))| label(b, axis, *place)).collect();
        let rows = (0..rows.1.names.len()).map(move |row| (row, fixed.clone()));
        (RichText::from(names.join(", ")), rows.collect::<Vec<_>>())
    });
    let several = b.several_seeds();
    let values = |others: String| -> Result<minijinja::Value> {
        let (rows, columns) = (heading(b, &rows.1)?.plain(), heading(b, &columns.1)?.plain());
        Ok(context! { rows, columns, others, several })
    };
    let table = if others.is_empty() {
        let caption = b.text("training.matrix", values(String::new())?)?;
        b.table(caption, &table, groups.flat_map(|(_, rows)| rows).collect::<Vec<_>>())?
    } else {
        let names = others.iter().map(|(_, axis)| Ok(heading(b, axis)?.plain().to_lowercase()));
        let names = names.collect::<Result<Vec<_>>>()?.join(", ");
        let caption = b.text("training.matrix_over", values(names.clone())?)?;
        b.grouped_table(caption, RichText::from(names), &table, groups.collect::<Vec<_>>())?.styled("grouped")
    };
    Ok(Some(table))
}

/// Every combination of the values of some lists, each value with its list.
fn combinations(lists: &[(usize, Axis)]) -> Vec<Vec<(usize, usize)>> {
    lists.iter().fold(vec![Vec::new()], |all, (list, axis)| {
        let with = |start: Vec<(usize, usize)>| {
            (0..axis.names.len()).map(move |place| start.iter().copied().chain([(*list, place)]).collect())
        };
        all.into_iter().flat_map(with).collect()
    })
}

/// A run's accuracy in a cell of the matrix.
fn accuracy(b: &Builder, run: &str, is_best: bool) -> Result<RichText> {
    match b.results.run(run) {
        Some(AnyRun::Finished(result)) => {
            let percent = b.lang.numbers.percent(result.accuracy(), 2);
            Ok(if is_best { RichText::styled(InlineStyle::Strong, percent) } else { percent.into() })
        }
        Some(AnyRun::Diverged(_)) => b.phrase("training.diverged_cell"),
        None => Ok("–".into()),
    }
}

/// What a list is of.
fn heading(b: &Builder, axis: &Axis) -> Result<RichText> {
    match axis.key.as_str() {
        key @ ("model" | "optimizer" | "schedule" | "epochs" | "dropout") => b.heading(key),
        "batch_size" => b.heading("batch"),
        "train" => b.heading("training_images"),
        other => Ok(RichText::code(other)),
    }
}

/// A value's name; of a model, its title.
fn label(b: &Builder, axis: &Axis, place: usize) -> String {
    let name = &axis.names[place];
    if axis.key == "model" { b.model_title(name).to_owned() } else { name.clone() }
}
