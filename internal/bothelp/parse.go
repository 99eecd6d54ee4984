package bothelp

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

var (
	errNotTime   = errors.New("not a time")
	errTimeRange = errors.New("a time outside 1970 to 2100")
)

// timeLayouts are the formats: RFC 3339, the same in PHP's DATE_ISO8601, and created_at_show. The last one contains the
// letters UTC: time.Parse would take any other zone's letters for UTC.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "02/01/2006 15:04:05 UTC"}

// endOfTime is the first second out of range: ClickHouse's DateTime64(3) must be able to store every time.
const endOfTime = 4102444800 // 2100-01-01T00:00:00Z

// unixUnits are the units of Unix time in microseconds. A number has the unit in which it is between 1973 and 2100 (for
// seconds between 1970 and 2100), so no number fits two units.
var unixUnits = []struct{ from, to, micros float64 }{
	{1, endOfTime, 1e6},
	{1e11, endOfTime * 1e3, 1e3},
	{1e14, endOfTime * 1e6, 1},
}

// parseTime parses a time in any format that BotHelp may write. Zero means never, as in PHP: parseTime returns the zero
// Time and no error. A negative number is an error.
func parseTime(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err == nil:
		return fromUnix(n)
	case errors.Is(err, strconv.ErrRange):
		return time.Time{}, errTimeRange
	}
	for _, layout := range timeLayouts {
		at, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		if sec := at.Unix(); sec < 0 || sec >= endOfTime {
			return time.Time{}, errTimeRange
		}
		return at.UTC(), nil
	}
	return time.Time{}, errNotTime
}

// fromUnix converts Unix time in seconds, milliseconds or microseconds. A float64 represents every microsecond until
// 2100.
func fromUnix(n float64) (time.Time, error) {
	if n == 0 {
		return time.Time{}, nil
	}
	for _, unit := range unixUnits {
		if n >= unit.from && n < unit.to {
			return time.UnixMicro(int64(math.Round(n * unit.micros))).UTC(), nil
		}
	}
	return time.Time{}, errTimeRange
}

var errNotCount = errors.New("not a whole number from 0 up")

// parseCount parses a count, which may come as a string.
func parseCount(text string) (uint64, error) {
	n, err := strconv.ParseUint(wholeNumber(strings.TrimSpace(text)), 10, 64)
	if err != nil {
		return 0, errNotCount
	}
	return n, nil
}

// wholeNumber returns 1e3 and 47659.0 as 1000 and 47659. Every other number keeps its digits: a float64 cannot hold an
// id above 2^53.
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
