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

// timeLayouts are the written forms: RFC 3339, the same as PHP's DATE_ISO8601 writes it, and created_at_show. The last
// names UTC itself, for with another zone's letters time.Parse would take the time for UTC.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "02/01/2006 15:04:05 UTC"}

// endOfTime is the first second that is out of range: ClickHouse's DateTime64(3) must hold every time.
const endOfTime = 4102444800 // 2100-01-01T00:00:00Z

// unixUnits are the units of Unix time, and how many microseconds each has. A number counts in the unit in which it lies
// between 1973 and 2100 (in seconds: between 1970 and 2100), so that no number fits two of them.
var unixUnits = []struct{ from, to, micros float64 }{
	{1, endOfTime, 1e6},
	{1e11, endOfTime * 1e3, 1e3},
	{1e14, endOfTime * 1e6, 1},
}

// parseTime reads a time in any form that BotHelp may write. Zero is its "never", as PHP writes one: the zero Time and
// no error. A negative number is an error.
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

// fromUnix reads Unix time in seconds, milliseconds or microseconds. A float64 has every microsecond until 2100.
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
