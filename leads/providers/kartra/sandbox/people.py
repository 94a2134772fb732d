"""Made-up people: names of many countries, towns, and telephone numbers from ranges that belong to nobody."""

import random
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True)
class Locale:
    """Where people come from. Names that are not in Latin letters are written ``name=latin``."""

    country: str
    code_2: str
    code_3: str
    weight: int
    firsts: tuple[str, ...]
    lasts: tuple[str, ...]
    towns: tuple[str, ...]
    phone_code: str = ""
    phone: str = ""


def _locale(heads: str, firsts: str, lasts: str, towns: str, phone: str = "") -> Locale:
    """A locale from lines of words. ``phone`` is the country code and a pattern whose ``#`` become digits."""
    country, code_2, code_3, weight = heads.split("|")
    phone_code, _, pattern = phone.partition(" ")
    return Locale(
        country, code_2, code_3, int(weight), tuple(firsts.split()), tuple(lasts.split()), tuple(towns.split("; ")),
        phone_code, pattern,
    )  # fmt: skip


# A town is "town, state, postcode".
LOCALES = (
    _locale(
        "United States|US|USA|26",
        "Ava Grace Hazel June Ruth Naomi Tessa Wendy Carla Imani Owen Caleb Marcus Dwight Elliot Theo Jamal "
        "Russell Wyatt Nolan",
        "Abbott Barrow Calloway Dunmore Ellison Farrow Granger Hollis Ingram Jessup Keller Lockhart Mercer "
        "Norwood Okafor Prescott Quimby Rutledge Sandoval Whitaker",
        "Asheville, NC, 28801; Santa Fe, NM, 87501; Portland, OR, 97205; Ann Arbor, MI, 48104; Burlington, "
        "VT, 05401; Savannah, GA, 31401",
        "+1 55501##",
    ),
    _locale(
        "United Kingdom|GB|GBR|14",
        "Alice Bethan Catriona Daisy Eleanor Fiona Harriet Isla Poppy Sunita Alfie Callum Dylan Ewan George "
        "Hamish Idris Jasper Rhys Toby",
        "Ashworth Blackwood Cartwright Davies Entwistle Fairclough Gilchrist Hargreaves Llewellyn "
        "MacAllister Nightingale Ormerod Pemberton Ramsbottom Singh Thackeray Underhill Wainwright",
        "Stoke-on-Trent, Staffordshire, ST1 1AA; Leeds, West Yorkshire, LS1 1AA; St Ives, Cornwall, TR26 "
        "1AA; Cardiff, Wales, CF10 1AA",
        "+44 7700900###",
    ),
    _locale(
        "Germany|DE|DEU|8",
        "Anneliese Birgit Franziska Greta Heike Jürgen Käthe Lukas Matthias Sönke Ulrike Wolfgang Björn "
        "Günther Maren",
        "Bäcker Dörfler Fröhlich Großmann Hübner Jäger Köhler Lüdemann Möller Pfannenschmidt Röhrig "
        "Schönfeld Töpfer Übelhör Weißenborn",
        "Höhr-Grenzhausen, Rheinland-Pfalz, 56203; Köln, Nordrhein-Westfalen, 50667; Weimar, Thüringen, 99423",
    ),
    _locale(
        "France|FR|FRA|7",
        "Amélie Benoît Chloé Édith François Gaëlle Hélène Inès Jérôme Léa Maëlys Noémie René Solène Zoé",
        "Beauséjour Châtelain Delaunay Évrard Fontaine Gérard Héroux Lefèvre Marchand Noël Pâquet Rousseau "
        "Thévenet Vasseur",
        "Limoges, Nouvelle-Aquitaine, 87000; Vallauris, Provence, 06220; Sèvres, Île-de-France, 92310",
        "+33 63998####",
    ),
    _locale(
        "Spain|ES|ESP|5",
        "Álvaro Begoña Carmen Íñigo Joaquín Lucía Marisol Nuria Óscar Pilar Rocío Ximena",
        "Álvarez Bermúdez Castaño Domínguez Echeverría Fernández Gutiérrez Ibáñez Muñoz Núñez Peña Zúñiga",
        "Talavera de la Reina, Toledo, 45600; Manises, Valencia, 46940; Úbeda, Jaén, 23400",
    ),
    _locale(
        "Mexico|MX|MEX|4",
        "Alejandra Emiliano Guadalupe Itzel Jesús Marisela Rogelio Yolanda Xóchitl",
        "Aguilar Cárdenas Escobedo Huerta Juárez Montaño Ocampo Quiroz Villaseñor",
        "Dolores Hidalgo, Guanajuato, 37800; Puebla, Puebla, 72000; Oaxaca, Oaxaca, 68000",
    ),
    _locale(
        "Brazil|BR|BRA|5",
        "Antônio Beatriz Caetano Débora Érica Gonçalo Iara João Luíza Mônica Tainá Vinícius",
        "Araújo Brandão Conceição Falcão Guimarães Magalhães Negrão Simões Teixeira Vilaça",
        "São Paulo, São Paulo, 01000-000; Cunha, São Paulo, 12530-000; Belém, Pará, 66000-000",
    ),
    _locale(
        "Italy|IT|ITA|5",
        "Alessia Bruno Chiara Donatella Enzo Fabiola Giosuè Ilaria Niccolò Ottavia Pasquale Zita",
        "Bellandi Caruso D'Angelo De-Luca Ferrante Galimberti Lombardi Mancuso Nardò Pellegrini Quaranta Zanetti",
        "Faenza, Ravenna, 48018; Deruta, Perugia, 06053; Caltagirone, Catania, 95041",
    ),
    _locale(
        "Poland|PL|POL|4",
        "Agnieszka Bożena Grażyna Jędrzej Łukasz Małgorzata Paweł Świętosława Zbigniew Żaneta",
        "Błaszczyk Dąbrowska Gołębiowski Jabłoński Kwaśniewska Łęcki Śliwiński Wójcik Żurawska",
        "Bolesławiec, Dolnośląskie, 59-700; Łódź, Łódzkie, 90-001",
    ),
    _locale(
        "Sweden|SE|SWE|4",
        "Åsa Björn Ebba Göran Håkan Ingrid Maj-Britt Örjan Saga Torbjörn",
        "Åkesson Bergström Dahlgren Ekström Hallström Lindqvist Nordén Sjöberg Östlund",
        "Höganäs, Skåne, 263 31; Gustavsberg, Stockholm, 134 40",
        "+46 70174060#",
    ),
    _locale(
        "Ireland|IE|IRL|4",
        "Aoife Ciarán Deirdre Eoin Gráinne Muireann Oisín Róisín Sinéad Tadhg",
        "O'Brien O'Sullivan Mac-Giolla Ní-Dhomhnaill Fitzgerald Gallagher O'Malley Quinlan",
        "Thomastown, Kilkenny, R95 A000; Galway, Galway, H91 A000",
        "+353 20910####",
    ),
    _locale(
        "Australia|AU|AUS|5",
        "Banjo Darcy Jarrah Kirra Lachlan Matilda Mia Ned Tahlia Zara",
        "Bannister Coolidge Drummond Flanagan Kingsford Merrick Nguyen Papadopoulos Treloar Wilkie",
        "Bendigo, Victoria, 3550; Fremantle, Western Australia, 6160; Hobart, Tasmania, 7000",
        "+61 4915701##",
    ),
    _locale(
        "Canada|CA|CAN|4",
        "Anouk Étienne Kaya Mathieu Nahanni Océane Skye Tremblay Wren Yannick",
        "Bouchard Desrosiers Gauthier Laframboise MacIsaac Pelletier Thibodeau Wapachee",
        "Medicine Hat, Alberta, T1A 0A1; Québec, Québec, G1A 0A1; Halifax, Nova Scotia, B3H 0A1",
        "+1 55501##",
    ),
    _locale(
        "Japan|JP|JPN|4",
        "さくら=sakura 健太=kenta 陽子=yoko 大輔=daisuke 美咲=misaki 翔=sho 直美=naomi 一郎=ichiro",
        "高橋=takahashi 佐々木=sasaki 渡辺=watanabe 小林=kobayashi 山口=yamaguchi 井上=inoue 清水=shimizu",
        "備前市, 岡山県, 705-0001; 瀬戸市, 愛知県, 489-0001; Mashiko, Tochigi, 321-4200",
    ),
    _locale(
        "China|CN|CHN|3",
        "秀英=xiuying 伟=wei 芳=fang 建国=jianguo 丽娜=lina 晓明=xiaoming",
        "王=wang 李=li 张=zhang 欧阳=ouyang 陈=chen 诸葛=zhuge",
        "景德镇, 江西, 333000; 宜兴, 江苏, 214200",
    ),
    _locale(
        "South Korea|KR|KOR|2",
        "지우=jiwoo 민준=minjun 서연=seoyeon 하늘=haneul 도윤=doyun",
        "김=kim 이=lee 박=park 최=choi 남궁=namgung",
        "이천시, 경기도, 17300; 강진군, 전라남도, 59200",
    ),
    _locale(
        "Egypt|EG|EGY|3",
        "محمد=mohamed فاطمة=fatma أحمد=ahmed نورهان=nourhan يوسف=youssef ليلى=layla",
        "عبدالله=abdallah النجار=elnaggar حسنين=hassanein المصري=elmasry الخزاف=elkhazaf",
        "القاهرة, القاهرة, 11511; الفيوم, الفيوم, 63511",
    ),
    _locale(
        "Israel|IL|ISR|2",
        "נועה=noa איתמר=itamar שירה=shira אורי=uri תמר=tamar",
        "כהן=cohen לוי=levi אברהם=avraham קדר=kadar מזרחי=mizrahi",
        "חיפה, חיפה, 3100000; תל אביב-יפו, תל אביב, 6100000",
    ),
    _locale(
        "India|IN|IND|5",
        "Aarav Bhavani Chitra Dhananjay Ishaan Kavitha Lakshmi Meenakshi Prakash Savitri Venkatesh",
        "Balasubramanian Chakraborty Deshpande Iyer Krishnamurthy Mukhopadhyay Prajapati Rao Venkataraman",
        "Khurja, Uttar Pradesh, 203131; Auroville, Tamil Nadu, 605101; Jaipur, Rajasthan, 302001",
    ),
    _locale(
        "Nigeria|NG|NGA|3",
        "Adaeze Babatunde Chidinma Folasade Ifeoma Kelechi Ngozi Olúwaṣeun Temitope",
        "Adébáyọ̀ Chukwuemeka Ekwueme Nwosu Ogunleye Okonkwo Oyelaran",
        "Abuja, FCT, 900001; Ilorin, Kwara, 240001",
    ),
    _locale(
        "Türkiye|TR|TUR|3",
        "Ayşegül Çağla Gökhan İbrahim Işıl Özge Şükrü Tuğba Ümit",
        "Aydoğan Çömlekçi Güneş İnönü Özdemir Şahin Yıldız",
        "Kütahya, Kütahya, 43000; İznik, Bursa, 16860",
    ),
    _locale(
        "Greece|GR|GRC|2",
        "Αλέξανδρος=alexandros Δήμητρα=dimitra Ελένη=eleni Γιώργος=giorgos Χρυσούλα=chrysoula",
        "Παπαδόπουλος=papadopoulos Αγγελίδη=angelidi Κεραμεύς=kerameus Ζαχαρίου=zachariou",
        "Σίφνος, Κυκλάδες, 84003; Αθήνα, Αττική, 10431",
    ),
    _locale(
        "Ukraine|UA|UKR|2",
        "Олександра=oleksandra Богдан=bohdan Ірина=iryna Тарас=taras Юлія=yuliia",
        "Гончаренко=honcharenko Коваль=koval Шевчук=shevchuk Ткаченко=tkachenko",
        "Опішня, Полтавська область, 38164; Львів, Львівська область, 79000",
    ),
    _locale(
        "Vietnam|VN|VNM|2",
        "Anh Dũng Hương Khánh Ngọc Thảo Tuấn Yến",
        "Đặng Hoàng Huỳnh Nguyễn Phạm Trần Võ",
        "Bát Tràng, Hà Nội, 100000; Hội An, Quảng Nam, 560000",
    ),
)  # fmt: skip

STREETS = ("Kiln Lane", "Potters Row", "Claypit Road", "Wheelwright Street", "Glaze Court", "Ash Walk", "Ember Hill")
COMPANIES = ("Pottery", "Ceramics", "Clayworks", "Studio", "Stoneware", "Tiles", "Porcelain", "Earthenware")
DOMAINS = ("example.com", "example.org", "example.net")

_LATIN = str.maketrans("ßøłđıșțğşñ", "soldistgsn")


@dataclass(frozen=True)
class Person:
    """Somebody made up. ``handle`` is the name in plain Latin letters, for addresses."""

    first: str
    last: str
    handle: str
    locale: Locale
    street: str
    city: str
    state: str
    zip: str
    phone: str
    domain: str


def person(rng: random.Random) -> Person:
    """A person, by chance."""
    locale = rng.choices(LOCALES, _WEIGHTS)[0]
    first, _, first_latin = rng.choice(locale.firsts).partition("=")
    last, _, last_latin = rng.choice(locale.lasts).partition("=")
    city, state, postcode = rng.choice(locale.towns).split(", ")
    return Person(
        first=first,
        last=last.replace("-", " ") if last.startswith(("De-", "Mac-", "Ní-")) else last,
        handle=f"{plain(first_latin or first)}.{plain(last_latin or last)}",
        locale=locale,
        street=f"{rng.randint(1, 240)} {rng.choice(STREETS)}",
        city=city,
        state=state,
        zip=postcode,
        phone="".join(rng.choice("0123456789") if digit == "#" else digit for digit in locale.phone),
        domain=rng.choice(DOMAINS),
    )


def plain(name: str) -> str:
    """The name in lower case a-z, as it goes into an address."""
    bare = unicodedata.normalize("NFKD", name.lower().translate(_LATIN))
    return "".join(letter for letter in bare if "a" <= letter <= "z")


_WEIGHTS = [locale.weight for locale in LOCALES]
