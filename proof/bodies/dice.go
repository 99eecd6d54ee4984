package bodies

// dice is a splitmix64 generator: the numbers of a body follow from its seed alone, at no cost worth measuring.
type dice uint64

func throw(seed, stream, number uint64) dice {
	d := dice(seed ^ stream<<56)
	return dice(d.next() ^ number*0x9e3779b97f4a7c15)
}

func (d *dice) next() uint64 {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// upTo returns a number below n.
func (d *dice) upTo(n int) int { return int(d.next() % uint64(n)) }

// percent is true in so many of a hundred throws.
func (d *dice) percent(n int) bool { return d.upTo(100) < n }

// early returns a number below n, the low ones far more often: what is popular, what happened lately.
func (d *dice) early(n int) int { return d.upTo(d.upTo(n) + 1) }
