package bodies

var (
	utmSources   = []string{"telegram_ads", "vk_ads", "yandex", "instagram", "facebook", "google", "email", "blogger"}
	utmMediums   = []string{"cpc", "social_cpc", "email", "post", "stories"}
	utmCampaigns = []string{"осень-2024", "вебинар", "марафон", "retarget", "black-friday", "launch", "lookalike", "lead-magnet"}
	utmTerms     = []string{"чат-бот", "курс маркетинга", "воронка продаж", "рассылка", "автоворонка", "bot builder", "похудение", "английский"}

	steps = []string{"start", "lead-magnet", "webinar", "оплата", "reminder", "survey"}
)
