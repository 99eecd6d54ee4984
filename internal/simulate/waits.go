package simulate

import (
	"math"

	"hooktape/internal/simulate/people"
)

// Waiting times are lognormal: half of people answer within the median, and a few take very much longer. They are drawn
// in whole numbers from tables, for a last digit that depends on the processor would make another history of each.
var (
	normal [1024]int64 // quantiles of the normal distribution, in 1/256
	power  [256]int64  // 2^(i/256), in 1/65536
)

func init() {
	for i := range normal {
		p := (float64(i) + 0.5) / float64(len(normal))
		normal[i] = int64(math.Round(256 * math.Sqrt2 * math.Erfinv(2*p-1)))
	}
	for i := range power {
		power[i] = int64(math.Round(65536 * math.Exp2(float64(i)/256)))
	}
}

// wait is a waiting time: its median in microseconds, and how far apart people are, as the logarithm's standard
// deviation in 1/256 of a doubling.
type wait struct{ median, spread int64 }

const longestWait = 60 * day

func (w wait) draw(d *people.Dice) int64 {
	x := normal[d.UpTo(len(normal))] * w.spread >> 8
	v := w.median * power[x&255] >> 16
	if shift := max(-14, min(x>>8, 14)); shift >= 0 {
		v <<= shift
	} else {
		v >>= -shift
	}
	v += (v >> 12) * int64(d.UpTo(64)) / 16
	return min(v+int64(d.UpTo(int(second))), longestWait)
}
