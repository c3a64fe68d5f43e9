//! Plots as SVG: bars from the left, and lines over named places. White, so that they are legible on dark pages, too.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::{
    Circle, DrawingArea, DrawingBackend, IntoDrawingArea as _, PathElement, RGBColor, Rectangle, SVGBackend, Text,
    WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, IntoFont as _, TextStyle};

use crate::Result;
use crate::data::{Plot, Shape};
use crate::stats::{as_f64, figure};

const INK: RGBColor = RGBColor(30, 30, 30);
const FAINT: RGBColor = RGBColor(220, 220, 220);
const OURS: RGBColor = RGBColor(31, 111, 180);
const OTHERS: RGBColor = RGBColor(150, 150, 150);
/// For people who see fewer colors, too (Okabe and Ito).
const COLORS: [RGBColor; 8] = [
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(110, 110, 110),
    RGBColor(0, 0, 0),
];
const WIDTH: i32 = 960;
const SMALL: u32 = 16;
const LARGE: u32 = 20;

type Area<B> = DrawingArea<B, Shift>;
type Point = (i32, i32);
type One = (String, Vec<Option<f64>>);

impl Plot {
    pub(crate) fn draw(&self, directory: &Path) -> Result<()> {
        let file = directory.join(format!("{}.svg", self.name));
        let height = match &self.shape {
            Shape::Bars(bars) => 80 + 32 * i32::try_from(bars.len())?,
            Shape::Lines { .. } => 460,
        };
        let size = (WIDTH.unsigned_abs(), height.unsigned_abs());
        let area = SVGBackend::new(&file, size).into_drawing_area();
        // The error borrows the file's name.
        self.draw_on(&area, height).map_err(|cause| cause.to_string())?;
        area.present().map_err(|cause| cause.to_string())?;
        Ok(())
    }

    fn draw_on<B: DrawingBackend>(&self, area: &Area<B>, height: i32) -> Result<(), Box<dyn std::error::Error>>
    where
        B::ErrorType: 'static,
    {
        area.fill(&WHITE)?;
        text(area, &self.title, (20, 24), HPos::Left, LARGE, INK)?;
        text(area, &self.unit, (20, 52), HPos::Left, SMALL, INK)?;
        match &self.shape {
            Shape::Bars(bars) => draw_bars(area, bars),
            Shape::Lines {
                axis,
                places,
                lines,
                logarithmic,
            } => {
                let values = lines.iter().flat_map(|(_, values)| values.iter().copied().flatten());
                let scale = Scale::of(values, *logarithmic, (75, height - 60));
                draw_lines(area, axis, places, lines, &scale)
            }
        }
    }
}

fn draw_bars<B: DrawingBackend>(area: &Area<B>, bars: &[(String, f64)]) -> Result<(), Box<dyn std::error::Error>>
where
    B::ErrorType: 'static,
{
    const LEFT: i32 = 390;
    const RIGHT: i32 = WIDTH - 80;
    let most = bars.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    for (index, (name, value)) in bars.iter().enumerate() {
        let top = 74 + 32 * i32::try_from(index)?;
        let end = LEFT + pixels(value / most * f64::from(RIGHT - LEFT));
        let color = if name.starts_with("optlock") { OURS } else { OTHERS };
        area.draw(&Rectangle::new([(LEFT, top), (end, top + 22)], color.filled()))?;
        text(area, name, (LEFT - 10, top + 12), HPos::Right, SMALL, INK)?;
        text(area, &figure(*value), (end + 8, top + 12), HPos::Left, SMALL, INK)?;
    }
    Ok(())
}

fn draw_lines<B: DrawingBackend>(
    area: &Area<B>,
    axis: &str,
    places: &[String],
    lines: &[One],
    scale: &Scale,
) -> Result<(), Box<dyn std::error::Error>>
where
    B::ErrorType: 'static,
{
    const LEFT: i32 = 90;
    const RIGHT: i32 = WIDTH - 340;
    let bottom = scale.pixels.1;
    for tick in &scale.ticks {
        let y = scale.place(*tick);
        area.draw(&PathElement::new([(LEFT, y), (RIGHT, y)], FAINT.stroke_width(1)))?;
        text(area, &figure(*tick), (LEFT - 10, y), HPos::Right, SMALL, INK)?;
    }
    let step = f64::from(RIGHT - LEFT) / as_f64(places.len());
    let column = |index: usize| LEFT + pixels(step * (as_f64(index) + 0.5));
    for (index, place) in places.iter().enumerate() {
        text(area, place, (column(index), bottom + 18), HPos::Center, SMALL, INK)?;
    }
    text(
        area,
        axis,
        (i32::midpoint(LEFT, RIGHT), bottom + 42),
        HPos::Center,
        SMALL,
        INK,
    )?;
    for (index, (_, values)) in lines.iter().enumerate() {
        let color = COLORS[index % COLORS.len()];
        let points = values
            .iter()
            .enumerate()
            .filter_map(|(index, value)| Some((column(index), scale.place((*value)?))));
        let points: Vec<Point> = points.collect();
        for point in &points {
            area.draw(&Circle::new(*point, 5, color.filled()))?;
        }
        area.draw(&PathElement::new(points, color.stroke_width(3)))?;
    }
    // The legend in the order in which the lines end, so that they are found by going to the right.
    let mut order: Vec<usize> = (0..lines.len()).collect();
    let last = |index: &usize| {
        lines[*index]
            .1
            .iter()
            .rev()
            .copied()
            .flatten()
            .next()
            .unwrap_or_default()
    };
    order.sort_by(|a, b| last(b).total_cmp(&last(a)));
    for (row, index) in order.into_iter().enumerate() {
        let y = 90 + 28 * i32::try_from(row)?;
        area.draw(&Rectangle::new(
            [(RIGHT + 20, y - 3), (RIGHT + 44, y + 3)],
            COLORS[index % COLORS.len()].filled(),
        ))?;
        text(area, &lines[index].0, (RIGHT + 54, y), HPos::Left, SMALL, INK)?;
    }
    Ok(())
}

fn text<B: DrawingBackend>(
    area: &Area<B>,
    what: &str,
    place: Point,
    anchor: HPos,
    size: u32,
    color: RGBColor,
) -> Result<(), Box<dyn std::error::Error>>
where
    B::ErrorType: 'static,
{
    let style = TextStyle::from(("sans-serif", size).into_font())
        .color(&color)
        .pos(Pos::new(anchor, VPos::Center));
    area.draw(&Text::new(what.to_owned(), place, style))?;
    Ok(())
}

/// From values to heights.
struct Scale {
    is_logarithmic: bool,
    bounds: (f64, f64),
    ticks: Vec<f64>,
    /// The highest place, and the lowest.
    pixels: (i32, i32),
}

impl Scale {
    fn of(values: impl Iterator<Item = f64>, is_logarithmic: bool, pixels: (i32, i32)) -> Self {
        let (least, most) = values
            .filter(|value| *value > 0.0)
            .fold((f64::INFINITY, 0.0), |(least, most), value| {
                (f64::min(least, value), f64::max(most, value))
            });
        let ticks = if is_logarithmic {
            decades(least.min(most), most)
        } else {
            steps(most)
        };
        let bounds = (
            ticks.first().copied().unwrap_or(0.0),
            ticks.last().copied().unwrap_or(1.0),
        );
        Self {
            is_logarithmic,
            bounds,
            ticks,
            pixels,
        }
    }

    fn place(&self, value: f64) -> i32 {
        let (low, high) = self.bounds;
        let share = if self.is_logarithmic {
            (value.max(low) / low).ln() / (high / low).ln()
        } else {
            (value - low) / (high - low)
        };
        let (top, bottom) = self.pixels;
        bottom - pixels(share * f64::from(bottom - top))
    }
}

/// Powers of ten around all values.
fn decades(least: f64, most: f64) -> Vec<f64> {
    let mut tick = 10_f64.powf(least.max(f64::MIN_POSITIVE).log10().floor());
    let mut ticks = vec![tick];
    while tick < most || ticks.len() < 2 {
        tick *= 10.0;
        ticks.push(tick);
    }
    ticks
}

/// Round numbers from zero to beyond the greatest value.
fn steps(most: f64) -> Vec<f64> {
    let power = 10_f64.powf((most.max(f64::MIN_POSITIVE) / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let step = step
        .into_iter()
        .find(|step| *step * 5.0 >= most)
        .unwrap_or(power * 10.0);
    (0..=5_i32).map(|number| f64::from(number) * step).collect()
}

#[allow(clippy::cast_possible_truncation)] // A place in a picture.
fn pixels(length: f64) -> i32 {
    length.round() as i32
}

#[cfg(test)]
mod tests {
    use super::{decades, steps};

    #[test]
    fn ticks_are_round_and_reach_around_the_values() {
        assert_eq!(steps(2_600.0), [0.0, 1_000.0, 2_000.0, 3_000.0, 4_000.0, 5_000.0]);
        assert_eq!(decades(3.0, 250.0), [1.0, 10.0, 100.0, 1_000.0]);
    }
}
