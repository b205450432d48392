// Package drift measures how far one distribution over bins is from another:
// population stability index, Jensen-Shannon distance, Kolmogorov-Smirnov
// distance, and Pearson's chi-square test.
//
// A distribution is a list of counts, or of shares, one for each bin, each finite
// and not negative, with at least one above zero; two that are compared have the
// same bins in the same order. The package does not check that: its caller does.
// It reads no metrics and says nothing of what is much; it never returns a NaN or
// an infinity.
//
// Start reading at Compare.
package drift
