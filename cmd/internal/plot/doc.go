// Package plot renders charts of panels with one time axis, for a terminal or as SVG,
// and tables and progress bars for a terminal. Charts and tables for a terminal are plain
// text with optional colors, so they are readable in a log too.
//
// It knows nothing of the meaning of the numbers, and never writes a control character to
// an output that is not a terminal.
//
// Start reading at chart.go, then canvas.go (terminal) and svg.go (page).
package plot
