package simulate

import (
	"errors"
	"time"
)

// Options describe a simulated account. The same options give the same account, byte for byte.
type Options struct {
	Seed uint64
	// From and Until limit the history: all requests come at or after From and before Until.
	From, Until time.Time
	// Subscribers is how many people come for the first time between the two. Each is good for some ten requests in 90
	// days.
	Subscribers uint32
	// Speed divides the time between a subscriber's visits; 1 is real time. With a high speed a funnel fills within
	// minutes.
	Speed int64
	// Even leaves out the rhythm of day and week.
	Even    bool
	Sources Sources
	// ChatSigningToken signs chat webhooks, and without it none are refused for a wrong signature.
	ChatSigningToken string
}

// Sources are the names that the account's two flows and its chat webhook are posted under. They may be the same: the
// flows have no step in common.
type Sources struct{ Course, Webinar, Chat string }

// DefaultSources are the default names of the sources.
var DefaultSources = Sources{Course: "course", Webinar: "webinar", Chat: "chat"}

// DefaultSeed is the default seed.
const DefaultSeed = 1

// DefaultOptions are an account of some size, of the days before until.
func DefaultOptions(until time.Time, days int) Options {
	return Options{Seed: DefaultSeed, From: until.Add(-time.Duration(days) * 24 * time.Hour), Until: until,
		Subscribers: 5_000, Speed: 1, Sources: DefaultSources, ChatSigningToken: "simulated"}
}

// The largest history. Numbers of subscribers must fit the ids that they make.
const (
	maxSubscribers = 1_000_000_000
	maxSpan        = 10 * 366 * 24 * time.Hour
)

// Validate returns an error that names the invalid fields.
func (o Options) Validate() error {
	var errs []error
	if span := o.Until.Sub(o.From); span < time.Minute || span > maxSpan || o.From.Year() < 2000 ||
		o.Until.Year() > 2099 {
		errs = append(errs,
			errors.New("fields From and Until must lie between 2000 and 2099, a minute to ten years apart"))
	}
	if o.Subscribers < 1 || o.Subscribers > maxSubscribers {
		errs = append(errs, errors.New("field Subscribers must be between 1 and a billion"))
	}
	if o.Speed < 1 || o.Speed > 100_000 {
		errs = append(errs, errors.New("field Speed must be between 1 and 100000"))
	}
	if o.Sources.Course == "" || o.Sources.Webinar == "" || o.Sources.Chat == "" {
		errs = append(errs, errors.New("every source needs a name"))
	}
	return errors.Join(errs...)
}
