// Axis ticks at round numbers, two polylines, no dependencies.
#include "core/train/loss_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/files.h"

namespace ftrun {
namespace {

constexpr double kWidth = 800;
constexpr double kHeight = 500;
constexpr double kLeft = 80;
constexpr double kRight = 20;
constexpr double kTop = 50;
constexpr double kBottom = 60;

struct Axis {
  double low;
  double high;
  double step;
};

// Round limits around [low, high] with 4 to 9 ticks at 1, 2 or 5 times a power of ten.
Axis round_axis(double low, double high) {
  if (!(high > low)) {
    low -= 0.5;
    high += 0.5;
  }
  const double rough = (high - low) / 6;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double mantissa = rough / power;
  const double step = power * (mantissa < 1.5 ? 1 : mantissa < 3.5 ? 2 : mantissa < 7.5 ? 5 : 10);
  return {std::floor(low / step) * step, std::ceil(high / step) * step, step};
}

std::vector<PlotPoint> finite_points(std::span<const PlotPoint> points) {
  std::vector<PlotPoint> result;
  std::copy_if(points.begin(), points.end(), std::back_inserter(result),
               [](const PlotPoint& p) { return std::isfinite(p.value); });
  return result;
}

std::vector<PlotPoint> smoothed(const std::vector<PlotPoint>& points) {
  const auto count = static_cast<double>(points.size());
  const double weight = 1.8 * (1 / (1 + std::exp(-0.05 * count)) - 0.5);
  std::vector<PlotPoint> result = points;
  double last = points.empty() ? 0 : points.front().value;
  for (PlotPoint& point : result) {
    last = last * weight + (1 - weight) * point.value;
    point.value = last;
  }
  return result;
}

struct Frame {
  Axis x;
  Axis y;
  double to_x(double value) const { return kLeft + (value - x.low) / (x.high - x.low) * (kWidth - kLeft - kRight); }
  double to_y(double value) const {
    return kHeight - kBottom - (value - y.low) / (y.high - y.low) * (kHeight - kTop - kBottom);
  }
};

std::string polyline(const Frame& frame, const std::vector<PlotPoint>& points, const char* style) {
  std::string line = fmt::format("<polyline fill=\"none\" {} points=\"", style);
  for (const PlotPoint& point : points)
    line += fmt::format("{:.1f},{:.1f} ", frame.to_x(point.step), frame.to_y(point.value));
  return line + "\"/>\n";
}

std::string ticks(const Frame& frame) {
  std::string text;
  for (double value = frame.x.low; value <= frame.x.high + frame.x.step / 2; value += frame.x.step) {
    text += fmt::format(
        "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\" stroke=\"#e5e5e5\"/>"
        "<text x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"middle\">{4:g}</text>\n",
        frame.to_x(value), kTop, kHeight - kBottom, kHeight - kBottom + 20, value);
  }
  for (double value = frame.y.low; value <= frame.y.high + frame.y.step / 2; value += frame.y.step) {
    const double shown = std::abs(value) < frame.y.step / 1000 ? 0 : value;
    text += fmt::format(
        "<line x1=\"{1}\" x2=\"{2}\" y1=\"{0:.1f}\" y2=\"{0:.1f}\" stroke=\"#e5e5e5\"/>"
        "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5:g}</text>\n",
        frame.to_y(value), kLeft, kWidth - kRight, kLeft - 8, frame.to_y(value) + 4, shown);
  }
  return text;
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else
      result += c;
  }
  return result;
}

}  // namespace

std::string loss_plot_svg(std::span<const PlotPoint> all_points, const std::string& value_name,
                          const std::string& title) {
  const std::vector<PlotPoint> points = finite_points(all_points);
  const auto by_step = [](const PlotPoint& a, const PlotPoint& b) { return a.step < b.step; };
  const auto by_value = [](const PlotPoint& a, const PlotPoint& b) { return a.value < b.value; };
  Frame frame = {{0, 1, 0.2}, {0, 1, 0.2}};
  if (!points.empty()) {
    const auto [first, last] = std::minmax_element(points.begin(), points.end(), by_step);
    const auto [low, high] = std::minmax_element(points.begin(), points.end(), by_value);
    frame = {round_axis(std::min(0.0, first->step), last->step), round_axis(low->value, high->value)};
  }
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
      "font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n"
      "<text x=\"{2}\" y=\"28\" font-size=\"16\" text-anchor=\"middle\">{3}</text>\n",
      kWidth, kHeight, kWidth / 2, escaped(title));
  svg += ticks(frame);
  svg += polyline(frame, points, "stroke=\"#1f77b4\" stroke-opacity=\"0.35\" stroke-width=\"1.5\"");
  svg += polyline(frame, smoothed(points), "stroke=\"#1f77b4\" stroke-width=\"2\"");
  svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">step</text>\n", (kLeft + kWidth - kRight) / 2,
                     kHeight - 18);
  svg += fmt::format("<text x=\"22\" y=\"{0}\" text-anchor=\"middle\" transform=\"rotate(-90 22 {0})\">{1}</text>\n",
                     (kTop + kHeight - kBottom) / 2, escaped(value_name));
  svg += fmt::format(
      "<g transform=\"translate({},{})\"><line x2=\"24\" stroke=\"#1f77b4\" stroke-opacity=\"0.35\" "
      "stroke-width=\"1.5\"/>"
      "<text x=\"30\" y=\"4\">logged</text><line x1=\"90\" x2=\"114\" stroke=\"#1f77b4\" stroke-width=\"2\"/>"
      "<text x=\"120\" y=\"4\">smoothed</text></g>\n</svg>\n",
      kWidth - 210, kTop - 8);
  return svg;
}

void write_loss_plot(const std::filesystem::path& path, std::span<const PlotPoint> points,
                     const std::string& value_name, const std::string& title) {
  write_file_atomically(path, loss_plot_svg(points, value_name, title));
}

}  // namespace ftrun
