// The loss curve as an SVG: the values as logged and their running mean, with axes one can read numbers from.
#pragma once

#include <filesystem>
#include <span>
#include <string>

namespace ftrun {

struct PlotPoint {
  double step;
  double value;
};

/// An SVG document. `value_name` labels the vertical axis ("loss"). Non-finite values are left out. Smoothing:
/// exponential moving average with weight 1.8 (sigmoid(0.05 n) - 0.5) for n points, as LLaMA-Factory's plots use.
std::string loss_plot_svg(std::span<const PlotPoint> points, const std::string& value_name, const std::string& title);

/// Writes loss_plot_svg atomically.
void write_loss_plot(const std::filesystem::path& path, std::span<const PlotPoint> points,
                     const std::string& value_name, const std::string& title);

}  // namespace ftrun
