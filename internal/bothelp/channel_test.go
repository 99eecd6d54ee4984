package bothelp_test

import (
	"testing"

	"hooktape/internal/bothelp"
)

func TestChannel(t *testing.T) {
	for link, want := range map[string]string{
		"https://t.me/anna_p":                 "telegram",
		"http://www.telegram.me/anna":         "telegram",
		"t.me/anna":                           "telegram",
		"anna.t.me":                           "telegram",
		"//t.me/anna":                         "telegram",
		"tg://resolve?domain=anna":            "telegram",
		"TG://user?id=5":                      "telegram",
		"https://web.telegram.org/k/#5":       "telegram",
		"https://vk.com/id5":                  "vk",
		"https://m.vk.com/id5":                "vk",
		"https://vk.me/x":                     "vk",
		"vk.ru/id5":                           "vk",
		"https://fb.com/1941325716136721":     "facebook",
		"HTTPS://WWW.FaceBook.COM/x":          "facebook",
		"https://ru-ru.facebook.com:443/x":    "facebook",
		"https://m.me/x":                      "facebook",
		"https://instagram.com/x/":            "instagram",
		"https://www.instagram.com/x?igsh=1":  "instagram",
		"https://wa.me/79001234567":           "whatsapp",
		"https://api.whatsapp.com/send?phone": "whatsapp",
		"whatsapp://send?phone=7":             "whatsapp",
		"viber://chat?number=7":               "viber",
		"https://ok.ru/profile/5":             "ok",
		"https://m.ok.ru./profile/5":          "ok",
		" https://odnoklassniki.ru/x ":        "ok",
		"https://max.ru/u/x":                  "max",
		"":                                    "",
		"anna":                                "",
		"https://":                            "",
		"https://example.com/t.me":            "",
		"https://example.com?t.me":            "",
		"https://t.me.example.com/":           "",
		"https://t.me@example.com/":           "",
		"https://at.me/":                      "",
		"mailto:anna@vk.org":                  "",
	} {
		if got := bothelp.Channel(link); got != want {
			t.Errorf("%q: got %q, want %q", link, got, want)
		}
	}
}
