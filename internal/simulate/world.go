package simulate

import "hooktape/internal/simulate/people"

// Streams of dice are independent: one more throw in one of them does not change the others.
const (
	streamDays = iota + 1
	streamLives
	streamPeople
	streamBodies
	streamIDs
	streamWebhooks
	streamExternal
)

// step is a step of a flow with a webhook in it.
type step struct {
	name string
	pass int  // of 1000 who reached the step before, how many come here, before their quality counts
	wait wait // since the step before
}

// flow is a bot's multi-step flow.
type flow struct {
	steps        []step
	mail, phone  int // steps that ask for them
	price        int
	paid         int // the step at which it is paid
	givesContact int // of 100, how many answer when asked
}

// The account's flows: a course that is sold in the chat, and a webinar. No step is in both.
const (
	course = iota
	webinar
	chat
	stranger
)

var flows = [2]flow{
	course: {mail: 2, phone: 3, price: 4900, paid: 4, givesContact: 88, steps: []step{
		{name: "start"},
		{"offer", 640, wait{4 * minute, 400}},
		{"form", 450, wait{22 * minute, 560}},
		{"payment", 400, wait{3 * hour, 620}},
		{"paid", 540, wait{35 * minute, 520}},
	}},
	webinar: {mail: 0, phone: 4, price: 12900, paid: 5, givesContact: 71, steps: []step{
		{name: "webinar"},
		{"reminder", 860, wait{20 * hour, 160}},
		{"watched", 470, wait{2 * hour, 200}},
		{"discount", 640, wait{50 * minute, 420}},
		{"заявка", 380, wait{5 * hour, 600}},
		{"оплата", 520, wait{80 * minute, 560}},
	}},
}

// Steps returns the steps of the account's two flows, in order.
func Steps() (courseSteps, webinarSteps []string) {
	for i, list := range []*[]string{course: &courseSteps, webinar: &webinarSteps} {
		for _, s := range flows[i].steps {
			*list = append(*list, s.name)
		}
	}
	return courseSteps, webinarSteps
}

// channel is a messenger.
type channel struct {
	name      string
	weight    int // of 100 people
	link      string
	handle    bool // the link ends with the person's handle
	phone     bool // the link ends with the phone, which is known from the beginning
	quality   int  // of 100
	smallest  uint64
	ids       uint64
	numericID bool // user_id comes as a number
}

var channels = []channel{
	{name: "telegram", weight: 48, link: "https://t.me/", handle: true, quality: 104, smallest: 100_000_000,
		ids: 7_400_000_000, numericID: true},
	{name: "vk", weight: 20, link: "https://vk.com/id", quality: 96, smallest: 1_000_000, ids: 860_000_000,
		numericID: true},
	{name: "whatsapp", weight: 12, link: "https://wa.me/", phone: true, quality: 108, smallest: 79_000_000_000,
		ids: 999_999_999},
	{name: "instagram", weight: 10, link: "https://instagram.com/", handle: true, quality: 92, smallest: 1_000_000_000,
		ids: 60_000_000_000},
	{name: "facebook", weight: 6, link: `https:\/\/fb.com\/`, quality: 90, smallest: 1_000_000_000_000_000,
		ids: 8_000_000_000_000_000},
	{name: "viber", weight: 4, link: "viber://chat?number=%2B", phone: true, quality: 95, smallest: 79_000_000_000,
		ids: 999_999_999},
}

// campaign is where people come from: UTM tags and what such people are worth.
type campaign struct {
	source, medium, name string
	weight               int
	quality              int    // percentage, applied at each step
	only                 string // the channel that it leads to, "" for all
	clean                bool   // it is from a machine, and brings content and term with it
}

// campaigns are those of a small business: a few that pay, one that does not, and the disorder of tags typed by hand.
var campaigns = []campaign{
	{weight: 150, quality: 94},
	{"telegram_ads", "cpc", "осень-2026", 190, 122, "telegram", true},
	{"telegram_ads", "cpc", "retarget", 60, 128, "telegram", true},
	{"Telegram_Ads", "cpc", "осень-2026", 8, 122, "telegram", false},
	{"vk", "social", "лето-распродажа", 210, 86, "vk", true},
	{"VK", "social", "лето-распродажа", 60, 86, "vk", false},
	{"vk ", "social", "лето-распродажа", 30, 86, "vk", false},
	{"vk_ads", "social_cpc", "lookalike", 110, 95, "vk", true},
	{"instagram", "stories", "blogger-anna", 130, 103, "instagram", false},
	{"Instagram", "stories", "blogger-anna", 25, 103, "instagram", false},
	{"facebook", "cpc", "launch-eu", 60, 92, "facebook", true},
	{"email", "newsletter", "weekly-12", 60, 126, "", false},
	{"email", "newsletter", "Weekly-12 ", 9, 126, "", false},
	{"yandex", "cpc", "brand", 90, 116, "", true},
	{"google", "cpc", "search-ru", 70, 104, "", true},
	{"google", "CPC", "search-ru", 6, 104, "", true},
	{"qr", "", "flyer", 25, 98, "", false},
	{"viber", "broadcast", "весна", 25, 100, "viber", false},
}

// untagged means no campaign.
var untagged = &campaigns[0]

var (
	terms = []string{"чат-бот", "курс маркетинга", "воронка продаж", "рассылка", "автоворонка", "bot builder"}

	// picks has the numbers of the campaigns for each channel, each as often as its weight.
	picks = func() [][]uint8 {
		list := make([][]uint8, len(channels))
		for i, c := range channels {
			for n, from := range campaigns {
				if from.only == "" || from.only == c.name {
					for range from.weight {
						list[i] = append(list[i], uint8(n))
					}
				}
			}
		}
		return list
	}()
)

func pickCampaign(channel int, d *people.Dice) uint8 {
	return picks[channel][d.UpTo(len(picks[channel]))]
}

func pickChannel(d *people.Dice) int {
	n := d.UpTo(100)
	for i, c := range channels {
		if n -= c.weight; n < 0 {
			return i
		}
	}
	return 0
}
