//! The charts, as SVG: one panel for each workload, one bar for each contender.

use crate::contenders::{self, Entry, Side};
use crate::results::{Results, Spread};
use crate::workload::{self, Workload};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::path::Path;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Pixels of a panel, of a bar with what is around it, and of what stands above the bars.
const PANEL_WIDTH: u32 = 560;
const BAR: u32 = 20;
const TITLE: u32 = 34;
/// Where the names end and the bars begin.
const NAMES: i32 = 170;

const OURS: RGBColor = RGBColor(0xC2, 0x41, 0x0C);
const PEER: RGBColor = RGBColor(0x64, 0x74, 0x8B);
const FLOOR: RGBColor = RGBColor(0xCB, 0xD5, 0xE1);
const TEXT: RGBColor = RGBColor(0x1E, 0x29, 0x3B);

/// One panel: a title, and a figure of each contender that has one.
struct Panel {
    title: String,
    bars: Vec<(&'static str, Side, Spread)>,
}

impl Panel {
    fn new(title: String, figure: impl Fn(&Entry) -> Option<Spread>) -> Option<Self> {
        let all = contenders::all();
        let bars = all.iter().filter_map(|entry| Some((entry.name, entry.side, figure(entry)?)));
        let mut bars: Vec<_> = bars.collect();
        bars.sort_by(|one, other| one.2.median.total_cmp(&other.2.median));
        (!bars.is_empty()).then_some(Self { title, bars })
    }

    fn of(results: &Results, workload: Workload) -> Option<Self> {
        let title = format!("{}: ns per {}, log scale", workload.title.replace('`', ""), workload.unit());
        Self::new(title, |entry| results.spread(workload.name, entry.name, "ns"))
    }

    fn latency(results: &Results, percentile: &str) -> Option<Self> {
        let title = format!("2 threads, 1 pair of 16 timed: {percentile} of an operation in ns, log scale");
        Self::new(title, |entry| results.spread("latency", entry.name, percentile))
    }
}

/// Each chart's file and its workloads.
const CHARTS: [(&str, &[&str]); 3] = [
    ("pairs.svg", &["pairs-1", "pairs-2", "pairs-8", "pairs-32"]),
    ("own-work.svg", &["own-work-20", "own-work-50", "own-work-100", "own-work-300", "own-work-1000", "own-work-8"]),
    ("mixed.svg", &["one-way", "bursts-1", "push-heavy", "pop-heavy", "bulk-1", "bulk-2", "large"]),
];

/// Draws those charts that there are figures for.
pub fn draw(results: &Results, folder: &Path) -> Result<(), String> {
    let latency = ["p50", "p99", "p99.9", "p99.99"].iter().filter_map(|percentile| Panel::latency(results, percentile));
    let mut charts: Vec<(&str, Vec<Panel>)> = vec![("latency.svg", latency.collect())];
    for (file, workloads) in CHARTS {
        let workloads = workloads.iter().filter_map(|name| workload::named(name));
        charts.push((file, workloads.filter_map(|workload| Panel::of(results, workload)).collect()));
    }
    for (file, panels) in charts.iter().filter(|chart| !chart.1.is_empty()) {
        draw_chart(&folder.join(file), panels).map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(())
}

/// Draws panels two abreast.
fn draw_chart(path: &Path, panels: &[Panel]) -> Result<(), Box<dyn Error>> {
    let bars = panels.iter().map(|panel| panel.bars.len()).max().unwrap_or(0);
    let height = TITLE + BAR * u32::try_from(bars)? + BAR;
    let rows = panels.len().div_ceil(2);
    let columns = panels.len().min(2);
    let size = (PANEL_WIDTH * u32::try_from(columns)?, height * u32::try_from(rows)?);
    let area = SVGBackend::new(path, size).into_drawing_area();
    area.fill(&WHITE)?;
    for (panel, area) in panels.iter().zip(area.split_evenly((rows, columns))) {
        draw_panel(panel, &area)?;
    }
    area.present()?;
    Ok(())
}

/// Draws bars on a logarithmic scale: the figures differ by factors. The thin line goes from the least to the most.
fn draw_panel(panel: &Panel, area: &Area) -> Result<(), Box<dyn Error>> {
    let text = |size: i32, align: HPos| {
        let style = TextStyle::from(("sans-serif", size).into_font()).color(&TEXT);
        style.pos(Pos::new(align, VPos::Center))
    };
    area.draw(&Text::new(panel.title.clone(), (12, 18), text(15, HPos::Left)))?;
    let least = panel.bars.iter().map(|bar| bar.2.least).fold(f64::INFINITY, f64::min).max(1.0);
    let most = panel.bars.iter().map(|bar| bar.2.most).fold(1.0, f64::max).max(least * 2.0);
    let width = f64::from(PANEL_WIDTH) - f64::from(NAMES) - 80.0;
    #[expect(clippy::cast_possible_truncation, reason = "a few hundred")]
    let x = |value: f64| {
        let part = (value.max(least) / (least / 2.0)).ln() / (most / (least / 2.0)).ln();
        NAMES + (part * width) as i32
    };
    let mut y = i32::try_from(TITLE)?;
    for (name, side, spread) in &panel.bars {
        let color = match side {
            Side::Ours => OURS,
            Side::Peer => PEER,
            Side::Floor => FLOOR,
        };
        let middle = y + i32::try_from(BAR)? / 2;
        area.draw(&Text::new(*name, (NAMES - 8, middle), text(12, HPos::Right)))?;
        area.draw(&Rectangle::new([(NAMES, middle - 6), (x(spread.median), middle + 6)], color.filled()))?;
        area.draw(&PathElement::new([(x(spread.least), middle), (x(spread.most), middle)], TEXT.stroke_width(1)))?;
        let digits = usize::from(spread.median < 100.0);
        let figure = format!("{:.digits$}", spread.median);
        area.draw(&Text::new(figure, (x(spread.most).max(x(spread.median)) + 6, middle), text(12, HPos::Left)))?;
        y += i32::try_from(BAR)?;
    }
    Ok(())
}
