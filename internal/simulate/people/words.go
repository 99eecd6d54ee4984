package people

// Name is a word and how it is written in an address or a user name.
type Name struct{ Text, Latin string }

// Names of people, as lists. A surname of Surnames takes an "а" at its end when its bearer is a woman.
var (
	Women = []Name{{"Анна", "anna"}, {"Мария", "maria"}, {"Елена", "elena"}, {"Ольга", "olga"}, {"Наталья", "natalya"},
		{"Екатерина", "katya"}, {"Татьяна", "tatyana"}, {"Ирина", "irina"}, {"Светлана", "sveta"}, {"Юлия", "yulia"},
		{"Анастасия", "nastya"}, {"Дарья", "dasha"}, {"Виктория", "vika"}, {"Марина", "marina"}, {"Ксения", "ksenia"},
		{"Людмила", "mila"}, {"Алина", "alina"}, {"Полина", "polina"}, {"Валентина", "valya"}, {"Галина", "galina"},
		{"Евгения", "zhenya"}, {"Кристина", "kristina"}, {"Лариса", "larisa"}, {"Надежда", "nadezhda"},
		{"Вера", "vera"}}
	Men = []Name{{"Александр", "alex"}, {"Дмитрий", "dmitry"}, {"Сергей", "sergey"}, {"Андрей", "andrey"},
		{"Алексей", "alexey"}, {"Максим", "max"}, {"Иван", "ivan"}, {"Михаил", "misha"}, {"Евгений", "eugene"},
		{"Николай", "nikolay"}, {"Владимир", "vladimir"}, {"Павел", "pavel"}, {"Роман", "roman"}, {"Артём", "artem"},
		{"Денис", "denis"}, {"Илья", "ilya"}, {"Антон", "anton"}, {"Виктор", "viktor"}, {"Игорь", "igor"},
		{"Олег", "oleg"}}
	Surnames = []Name{{"Иванов", "ivanov"}, {"Смирнов", "smirnov"}, {"Кузнецов", "kuznetsov"}, {"Попов", "popov"},
		{"Васильев", "vasilev"}, {"Петров", "petrov"}, {"Соколов", "sokolov"}, {"Михайлов", "mikhailov"},
		{"Новиков", "novikov"}, {"Фёдоров", "fedorov"}, {"Морозов", "morozov"}, {"Волков", "volkov"},
		{"Алексеев", "alekseev"}, {"Лебедев", "lebedev"}, {"Семёнов", "semenov"}, {"Егоров", "egorov"},
		{"Павлов", "pavlov"}, {"Козлов", "kozlov"}, {"Степанов", "stepanov"}, {"Николаев", "nikolaev"},
		{"Орлов", "orlov"}, {"Андреев", "andreev"}, {"Макаров", "makarov"}, {"Никитин", "nikitin"},
		{"Захаров", "zakharov"}, {"Зайцев", "zaitsev"}, {"Соловьёв", "solovyov"}, {"Борисов", "borisov"},
		{"Яковлев", "yakovlev"}, {"Григорьев", "grigoriev"}, {"Романов", "romanov"}, {"Воробьёв", "vorobyov"},
		{"Сергеев", "sergeev"}, {"Кузьмин", "kuzmin"}, {"Фролов", "frolov"}, {"Александров", "alexandrov"},
		{"Дмитриев", "dmitriev"}, {"Королёв", "korolev"}, {"Гусев", "gusev"}, {"Киселёв", "kiselev"}}
	LatinNames = []Name{{"John", "john"}, {"Emma", "emma"}, {"Liam", "liam"}, {"Olivia", "olivia"}, {"Noah", "noah"},
		{"Ava", "ava"}, {"Lucas", "lucas"}, {"Sofia", "sofia"}, {"Mateo", "mateo"}, {"Aylin", "aylin"},
		{"Emir", "emir"}, {"Zeynep", "zeynep"}, {"Daniel", "daniel"}, {"Camila", "camila"}, {"Gabriel", "gabriel"},
		{"Laura", "laura"}, {"Thomas", "thomas"}, {"Julia", "julia"}, {"Marta", "marta"}, {"Victor", "victor"}}
	LatinSurnames = []Name{{"Wick", "wick"}, {"Smith", "smith"}, {"Garcia", "garcia"}, {"Müller", "mueller"},
		{"Yılmaz", "yilmaz"}, {"Silva", "silva"}, {"Kowalski", "kowalski"}, {"Rossi", "rossi"}, {"Brown", "brown"},
		{"Martin", "martin"}, {"Novak", "novak"}, {"Demir", "demir"}, {"Lopez", "lopez"}, {"Andersson", "andersson"},
		{"Popescu", "popescu"}, {"Nguyen", "nguyen"}, {"Costa", "costa"}, {"Weber", "weber"}, {"Moreau", "moreau"},
		{"Haddad", "haddad"}}
)

// What people are asked, and answer.
var (
	MailHosts = []string{"gmail.com", "mail.ru", "yandex.ru", "bk.ru", "inbox.ru", "list.ru", "icloud.com",
		"outlook.com", "rambler.ru"}
	Cities = []string{"Москва", "Санкт-Петербург", "Казань", "Новосибирск", "Екатеринбург", "Самара", "Краснодар",
		"Алматы", "Минск", "Уфа", "Пермь", "Ростов-на-Дону", "Тюмень", "Сочи", "Воронеж"}
	Answers = []string{"оплатила", "думает", "перезвонить вечером", "хочет скидку", "была на вебинаре", "просит счёт",
		"не дозвонились", "нужна рассрочка", "оплата частями", "записалась на разбор"}
)
