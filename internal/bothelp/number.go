package bothelp

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

var errNotCount = errors.New("not a whole number from 0 up")

// parseCount reads a count, which may come as a string.
func parseCount(text string) (uint64, error) {
	n, err := strconv.ParseUint(wholeNumber(strings.TrimSpace(text)), 10, 64)
	if err != nil {
		return 0, errNotCount
	}
	return n, nil
}

// wholeNumber writes 1e3 and 47659.0 as 1000 and 47659. Every other number stays digit for digit as it is: an id above
// 2^53 is none that a float64 could carry.
func wholeNumber(text string) string {
	if !strings.ContainsAny(text, ".eE") {
		return text
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n != math.Trunc(n) || math.Abs(n) >= 1<<53 {
		return text
	}
	return strconv.FormatInt(int64(n), 10)
}
