// Package report computes medians and ratios from the measurements of `wxgate bench`, and
// writes them as a table, JSON, CSV and a plot.
package report
