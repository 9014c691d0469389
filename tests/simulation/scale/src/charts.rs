//! Charts of the results, as SVG files.

use crate::results::{CORES, Row};
use crate::select;
use crate::workload::Workload;
use machine::Machine;
use plotters::prelude::*;
use std::error::Error;
use std::path::Path;

type Result = std::result::Result<(), Box<dyn Error + Send + Sync>>;

/// What a chart shows against the number of cores.
struct Measure {
    name: &'static str,
    label: &'static str,
    value: fn(&Row) -> f64,
}

const THROUGHPUT: Measure =
    Measure { name: "throughput", label: "operations per microsecond", value: |row| row.throughput };
const LOST_RACES: Measure =
    Measure { name: "lost-races", label: "lost races per operation", value: |row| row.lost_races };
const ELIMINATED: Measure =
    Measure { name: "eliminated", label: "eliminated operations, percent", value: |row| row.eliminated * 100.0 };

/// Those that are told apart in a chart, and their colours (Okabe and Ito's, for all eyes).
const LINES: [(&str, RGBColor); 6] = [
    ("none", RGBColor(0, 0, 0)),
    ("exponential", RGBColor(230, 159, 0)),
    ("elimination-32", RGBColor(0, 114, 178)),
    ("elimination-16", RGBColor(0, 158, 115)),
    ("elimination-64", RGBColor(204, 121, 167)),
    ("ticket-lock", RGBColor(213, 94, 0)),
];

const LABELS: (&str, u32) = ("sans-serif", 16);

/// One chart for each machine and workload; and of pairs more than the throughput.
pub fn draw_all(rows: &[Row], folder: &Path) -> Result {
    let folder = folder.join("scale");
    std::fs::create_dir_all(&folder)?;
    for machine in Machine::PRESETS {
        for workload in Workload::ALL {
            draw(rows, machine.name, workload, &THROUGHPUT, &folder)?;
        }
        draw(rows, machine.name, Workload::ALL[0], &LOST_RACES, &folder)?;
        draw(rows, machine.name, Workload::ALL[0], &ELIMINATED, &folder)?;
    }
    Ok(())
}

fn draw(rows: &[Row], machine: &str, workload: Workload, measure: &Measure, folder: &Path) -> Result {
    let file = folder.join(format!("{machine}-{workload}-{}.svg", measure.name));
    let root = SVGBackend::new(&file, (720, 440)).into_drawing_area();
    root.fill(&WHITE)?;
    let lines: Vec<_> = LINES
        .into_iter()
        .map(|(name, colour)| {
            let points = select(rows, machine, &workload.to_string(), name);
            let points: Vec<_> = points.into_iter().map(|row| (exponent(row.cores), (measure.value)(row))).collect();
            (name, colour, points)
        })
        .collect();
    let values = lines.iter().flat_map(|(.., points)| points.iter().map(|(_, value)| *value));
    let highest = values.fold(0.0, f64::max).max(1.0);
    let mut chart = ChartBuilder::on(&root)
        .caption(format!("SIMULATED: {workload}, {machine}"), ("sans-serif", 24))
        .margin(12)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..exponent(CORES[CORES.len() - 1]), 0.0..highest * 1.05)?;
    chart
        .configure_mesh()
        .x_labels(CORES.len())
        .x_label_formatter(&|exponent| format!("{:.0}", exponent.exp2()))
        .x_desc("virtual cores")
        .y_desc(measure.label)
        .label_style(LABELS)
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (name, colour, points) in lines {
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
        chart.draw_series(points.into_iter().map(|point| Circle::new(point, 3, colour.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .label_font(LABELS)
        .draw()?;
    root.present()?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "at most 256")]
fn exponent(cores: usize) -> f64 {
    (cores as f64).log2()
}
