// Package drift measures how far one distribution over bins is from another:
// population stability index, Jensen-Shannon distance, Kolmogorov-Smirnov
// distance, and Pearson's chi-square test.
//
// A distribution is a list of counts or shares, one for each bin. Each is finite and not
// negative, and at least one is above zero. Two distributions that are compared have the same
// bins in the same order. Callers ensure that; the package does not check it. It reads no
// metrics, does not judge how much drift is too much, and never returns a NaN or an infinity.
// It imports gonum only.
//
// Start reading at Compare.
package drift
