package bothelp

import "strings"

// channelHosts are the hosts of profile links, without www. and the like. The help page "BotHelp Webhook" shows
// fb.com, vk.com and t.me; the others are the messengers' own short and former names.
var channelHosts = map[string]string{
	"t.me": "telegram", "telegram.me": "telegram", "telegram.dog": "telegram", "telegram.org": "telegram",
	"vk.com": "vk", "vk.me": "vk", "vk.ru": "vk", "vkontakte.ru": "vk",
	"fb.com": "facebook", "facebook.com": "facebook", "m.me": "facebook", "fb.me": "facebook",
	"messenger.com": "facebook", "instagram.com": "instagram", "instagr.am": "instagram", "ig.me": "instagram",
	"wa.me": "whatsapp", "whatsapp.com": "whatsapp",
	"viber.com": "viber", "vb.me": "viber",
	"ok.ru": "ok", "ok.me": "ok", "odnoklassniki.ru": "ok",
	"max.ru": "max",
}

// channelSchemes are the schemes of links that open the messenger itself.
var channelSchemes = map[string]string{
	"tg": "telegram", "vk": "vk", "fb": "facebook", "fb-messenger": "facebook", "instagram": "instagram",
	"whatsapp": "whatsapp", "viber": "viber", "ok": "ok", "max": "max",
}

// Channel returns the messenger of a link to a subscriber's profile, with or without a scheme, or "" if it is unknown.
func Channel(profileLink string) string {
	link := strings.ToLower(strings.TrimSpace(profileLink))
	if scheme, rest, ok := strings.Cut(link, "://"); ok {
		if channel := channelSchemes[scheme]; channel != "" {
			return channel
		}
		link = rest
	}
	host := strings.TrimPrefix(link, "//")
	if end := strings.IndexAny(host, "/?#"); end >= 0 {
		host = host[:end]
	}
	// In https://t.me@example.com/ the host is example.com.
	host = host[strings.LastIndexByte(host, '@')+1:]
	host, _, _ = strings.Cut(host, ":")
	host = strings.TrimSuffix(host, ".")
	for host != "" { // m.vk.com and anna.t.me belong to vk.com and t.me
		if channel := channelHosts[host]; channel != "" {
			return channel
		}
		_, host, _ = strings.Cut(host, ".")
	}
	return ""
}
