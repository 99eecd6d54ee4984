package simulate

import (
	"math/bits"
	"sort"
	"time"

	"hooktape/internal/simulate/people"
)

// Zone is where the account's people live: Moscow, which has had no summer time since 2014.
var Zone = time.FixedZone("MSK", 3*60*60)

const (
	second = int64(time.Second / time.Microsecond)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// weekday and hourOfDay are how busy people are with their messengers, in parts of a hundred.
var (
	weekday   = [7]int64{80, 96, 104, 103, 100, 98, 76} // from Sunday on
	hourOfDay = [24]int64{12, 7, 4, 3, 3, 5, 12, 25, 45, 65, 78, 82, 80, 78, 76, 74, 75, 80, 90, 100, 98, 80, 50, 25}
)

// calendar spreads the first visits of people over the history. Times are Unix microseconds.
type calendar struct {
	starts  []int64  // of the hours; the last is the end
	weights []int64  // of a microsecond in each hour
	sums    []uint64 // of weight before each hour; the last is all of it
}

func newCalendar(o Options) *calendar {
	c := &calendar{}
	at, end := o.From.UnixMicro(), o.Until.UnixMicro()
	var sum uint64
	for at < end {
		next := min(at-at%hour+hour, end)
		w := int64(1)
		if !o.Even {
			w = busyness(o.Seed, at)
		}
		c.starts = append(c.starts, at)
		c.weights = append(c.weights, w)
		c.sums = append(c.sums, sum)
		sum += uint64(next-at) * uint64(w)
		at = next
	}
	c.starts, c.sums = append(c.starts, end), append(c.sums, sum)
	return c
}

// busyness is that of an hour: of the time of day and week, of the day's luck, and of the weeks in which a campaign
// runs.
func busyness(seed uint64, at int64) int64 {
	t := time.UnixMicro(at).In(Zone)
	date := (at + 3*hour) / day
	luck := people.Throw(seed, streamDays, uint64(date))
	w := hourOfDay[t.Hour()] * weekday[t.Weekday()] * int64(85+luck.UpTo(31)) / 100
	campaign := people.Throw(seed, streamDays, uint64(date/7)<<32)
	if campaign.Percent(25) {
		w = w * 14 / 10
	}
	return max(w, 1)
}

// arrival is when the number-th of count people comes. Of two, the one with the higher number never comes first.
func (c *calendar) arrival(number, count uint64, d *people.Dice) int64 {
	total := c.sums[len(c.sums)-1]
	high, low := bits.Mul64(number, total)
	low, carry := bits.Add64(low, d.Next()%total, 0)
	place, _ := bits.Div64(high+carry, low, count)
	i := sort.Search(len(c.weights), func(i int) bool { return c.sums[i+1] > place })
	return c.starts[i] + int64((place-c.sums[i])/uint64(c.weights[i]))
}

// awake postpones most visits at night until the morning.
func awake(at int64, d *people.Dice) int64 {
	sinceMidnight := (at + 3*hour) % day
	if sinceMidnight >= 7*hour || sinceMidnight < hour || d.Percent(12) {
		return at
	}
	return at - sinceMidnight + 7*hour + int64(d.UpTo(int(4*hour)))
}
