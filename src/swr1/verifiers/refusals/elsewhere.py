"""Refusals in languages other than English and Chinese: plain wordings only, one pattern a language.

No shades are distinguished here beyond what `refusal` sees in any language (a list, steps in numbers,
code, how much follows). A language that is not in the table is judged as if it did not refuse.
"""

import re

WORDINGS = {
    "fr": r"\bje (?:ne |n'|regrette, )?(?:[\w']+ ){0,3}?(?:peux|pourrai|puis|saurais|vais|veux|souhaite|suis) pas\b(?! (?:attendre|croire|m'emp[êe]cher))|\bje (?:dois |vais devoir )?(?:refuse|refuser|d[ée]cline|d[ée]cliner)\b|\bje n(?:e|') (?:[\w']+ ){0,2}(?:aide|r[ée]pond|fournis|fais)\w* pas\b"
    r"|\bimpossible (?:de|pour moi)\b|\b(?:d[ée]sol[ée]e?|navr[ée]e?|toutes mes excuses)[,.]? (?:mais|je|c'est)|^\W*(?:je suis )?(?:d[ée]sol[ée]e?|navr[ée]e?)\W*$|\bpas en mesure de\b|\bdans l'impossibilit[ée] de\b|\bje pr[ée]f[èée]re(?:rais)? ne pas\b|\bparlons (?:plut[ôo]t )?d'autre chose\b|\bchangeons de sujet\b",
    "es": r"\bno (?:te |le |les |os |me |lo |la |nos )?(?:puedo|podr[ée]|podemos|debo|voy a|quiero|har[ée]|es posible|est[áa] permitido|estoy (?:en condiciones|autorizad[oa]|capacitad[oa]|programad[oa]|dispuest[oa]))\b(?! (?:esperar|creer|evitar))|\bme (?:niego|rehuso|reh[úu]so)\b|\b(?:debo|tengo que) (?:rechazar|negarme|declinar)\b"
    r"|\bprefiero no\b|\bpreferir[íi]a no\b|\blo siento,? (?:pero|no)\b|^\W*(?:lo siento|perdona|perd[óo]n|disculpa)\W*$|\bhablemos de otra cosa\b|\bcambiemos de tema\b",
    "de": r"\b(?:ich|wir) (?:kann|k[öo]nnen|darf|d[üu]rfen|werde|werden|m[öo]chte|will|wollen|bin|sehe mich)\b[^.!?]{0,80}?\b(?:nicht|keine?[nrsm]?|au(?:ß|ss)erstande)\b|\b(?:kann|darf|werde|m[öo]chte) (?:ich|wir)\b[^.!?]{0,60}?\b(?:nicht|keine?[nrsm]?)\b|\bich (?:muss )?(?:lehne|ablehnen|verweigere|weigere mich)\b|\bmuss (?:ich )?[^.!?]{0,40}(?:ablehnen|verweigern)\b"
    r"|\b(?:tut mir (?:sehr )?leid|entschuldigung|es tut mir leid|leider)\b[^.!?]{0,60}\b(?:nicht|kein\w*)\b|^\W*(?:(?:es )?tut mir leid|entschuldigung)\W*$|\b(?:mir|uns) (?:ist das |das )?(?:leider )?nicht m[öo]glich\b|\bm[öo]chte (?:ich )?[^.!?]{0,40}lieber nicht\b|\blassen sie uns (?:[üu]ber )?etwas anderes\b|\bnicht (?:m[öo]glich|gestattet|erlaubt), ihnen\b",
    "it": r"\bnon (?:ti |vi |le |lo |la |mi )?(?:posso|potr[òo]|possiamo|sono (?:in grado|autorizzat[oa]|programmat[oa])|[èe] possibile|voglio|intendo|far[òo])\b(?! (?:credere|aspettare))|\b(?:devo|sono costrett[oa] a) (?:rifiutare|declinare)\b|\bmi rifiuto\b|\bprefer(?:isco|irei) non\b|\bmi (?:dis)?(?:piace|spiace),? (?:ma|non)\b|^\W*mi (?:dis)?(?:piace|spiace)\W*$|\bspiacente,? ma\b|\bparliamo d'altro\b|\bcambiamo argomento\b",
    "pt": r"\bn[ãa]o (?:te |lhe |vou |me |o |a )?(?:posso|poderei|podemos|consigo|devo|quero|farei|vou (?:fazer|ajudar|responder|escrever|dizer)|(?:[ée]|me [ée]) poss[íi]vel|estou (?:autorizad[oa]|em condi[çc][õo]es|programad[oa])|sou capaz|ajudar|fornecer|responder)\b(?! (?:esperar|acreditar))|\b(?:devo|tenho que|preciso) (?:recusar|declinar)\b|\b(?:me )?recuso(?:-me)?\b"
    r"|\b(?:desculpe|desculpa|lamento|sinto muito|me desculpe)\b,? (?:mas|n[ãa]o)\b|^\W*(?:desculpe|sinto muito|lamento)\W*$|\bprefiro n[ãa]o\b|\bvamos (?:falar|conversar) (?:sobre|de) outr",
    "nl": r"\bik (?:kan|mag|zal|wil|ga|ben)\b[^.!?]{0,60}?\b(?:niet|geen)\b|\bkan ik [^.!?]{0,40}\b(?:niet|geen)\b|\bliever niet\b|\bik (?:weiger|moet weigeren)\b|\bhet spijt me,? maar\b|^\W*(?:het spijt me|sorry)\W*$",
    "sv/no/da": r"\bjag kan (?:tyv[äa]rr )?inte\b|\bjag (?:m[åa]ste )?(?:avb[öo]ja|v[äa]gra)r?\b|\bjeg kan (?:desv[æa]rre )?ikke\b|\b(?:tyv[äa]rr|beklager|desv[æa]rre)\b[^.!?]{0,40}\b(?:inte|ikke)\b",
    "pl": r"\bnie (?:mog[ęe]|mo[żz]emy|jestem w stanie|b[ęe]d[ęe]|mam mo[żz]liwo[śs]ci|zrobi[ęe]|pomog[ęe])\b|\b(?:musz[ęe] )?odm(?:awiam|[óo]wi[ćc])\b|\bprzykro mi\b|\bprzepraszam,? ale\b|\bniestety nie\b",
    "cs/sk": r"\b(?:nem[ůo][žz]u|nemohu|nem[ôo][žz]em|odm[íi]t[áa]m)\b|\bomlouv[áa]m se,? ale\b|\bje mi l[íi]to\b",
    "tr": r"\b(?:yard[ıi]mc[ıi] olamam|yard[ıi]m edemem|yapamam|sa[ğg]layamam|cevaplayamam|yan[ıi]tlayamam|veremem|olamayaca[ğg][ıi]m|reddediyorum|edemem|[üu]zg[üu]n[üu]m)\b",
    "id/ms": r"\b(?:saya|kami) (?:tidak|tak) (?:dapat|bisa|boleh|akan|mampu)\b|\bsaya (?:menolak|harus menolak)\b|\bmaaf,? (?:tapi|tetapi|saya (?:tidak|tak))\b",
    "vi": r"\b(?:t[ôo]i|m[ìi]nh) (?:kh[ôo]ng th[ểe]|r[ấa]t ti[ếe]c|t[ừu] ch[ốo]i)\b|\bxin l[ỗo]i\b[^.!?]{0,20}\bkh[ôo]ng\b",
    "ru": r"\bне (?:могу|можем|буду|будем|смогу|сможем|стану|имею права|в состоянии|в силах|вправе)\b|\b(?:вынужден[аы]?|должен|должна)(?: вам)? отказать|\bотказываюсь\b|\bпредпоч\w+ не\b|\bизвините,? но\b|^\W*(?:извините|простите|мне жаль|нет)\W*$|\bк сожалению\b[^.!?]{0,40}\bне\b|\bдавайте (?:лучше )?(?:поговорим|сменим)\b|\bнельзя\b\W*$",
    "uk": r"\bне (?:можу|зможу|буду|маю права)\b|\bвідмовляюся\b|\bвибачте,? але\b|\bна жаль\b[^.!?]{0,40}\bне\b",
    "ja": r"(?:でき(?:ません|かねます|ない(?:です)?)|出来(?:ません|かねます)|いたしかねます|応じ(?:られません|かねます)|(?:答え|応え|教え|提供|お伝え|手伝い|サポート|協力|対応|お助け|お力に)[^。]{0,8}(?:ません|ないです|かねます)|控えさせて|お断り|断りし|ご遠慮)|^\W*(?:申し訳(?:ありません|ございません)|すみません|ごめんなさい|無理です|だめです|ダメです|いいえ)\W*$"
    r"|(?:別|他)の(?:話題|こと)[^。]{0,12}(?:話|しましょう|いかが)",
    "ko": r"(?:수(?:가|는)? 없(?:습니다|어요|네요|음)|드릴 수 없|드리기 어렵|하기 어렵|어렵습니다|불가능합니다|거절|거부|않겠습니다|않을 것입니다|못합니다|못 합니다|안 됩니다|안됩니다|안 돼요|도와드리지 못)|^\W*(?:죄송합니다|미안합니다|죄송해요|아니요|싫습니다)\W*$|다른 (?:주제|이야기|질문)[^.]{0,14}(?:하|나|어떨|이야기)",
    "ar": r"(?:لا (?:أستطيع|يمكنني|أقدر|يمكن)|لن (?:أستطيع|أتمكن|أقوم|أساعد)|أعتذر|آسف|عذر[اً]+|أرفض|غير قادر)",
    "hi": r"(?:नहीं कर सकता|नहीं कर सकती|नहीं दे सकता|नहीं दे सकती|मदद नहीं|असमर्थ|सहायता नहीं|मना करता|क्षमा करें|माफ़? ?कीजिए)",
    "he": r"(?:איני יכול|אינני יכול|לא (?:יכול|אוכל)|מצטער|מסרב)",
    "th": r"(?:ไม่สามารถ|ขออภัย|ขอปฏิเสธ|ช่วยไม่ได้)",
    "el": r"δεν μπορώ|λυπάμαι,? αλλά|αρνούμαι|δεν είμαι σε θέση",
    "fi": r"\ben (?:voi|pysty|saa)\b|\bkiellt[äa]ydyn\b|\bvalitettavasti en\b",
    "hu": r"\bnem (?:tudok|seg[íi]thetek|tehetem)\b|\bsajn[áa]lom,? de\b",
    "ro": r"\bnu (?:te |v[ăa] )?(?:pot|putem)\b|\b[îi]mi pare r[ăa]u,? dar\b|\brefuz\b",
}  # fmt: skip

SCRIPTS = {  # the letters of a language of its own; of the others: Latin letters
    "ru": "[а-яё]", "uk": "[а-яіїєґ]", "ja": "[぀-ヿ]", "ko": "[가-힯]", "ar": "[؀-ۿ]",
    "hi": "[ऀ-ॿ]", "he": "[֐-׿]", "th": "[฀-๿]", "el": "[α-ω]",
}  # fmt: skip

_LATIN = re.compile("|".join(p for name, p in WORDINGS.items() if name not in SCRIPTS), re.I | re.M)
_OTHERS = [
    (re.compile(SCRIPTS[name], re.I), re.compile(WORDINGS[name], re.I | re.M)) for name in SCRIPTS
]
_ENGLISH = re.compile(
    r"\b(?:the|is|are|to|of|and|that|you|it|this|for|with|i'm|can't|cannot|my|not|be|have)\b", re.I
)


def refuses(sentence: str) -> bool:
    """Whether a sentence refuses in one of the languages here."""
    if sentence.isascii() and len(_ENGLISH.findall(sentence)) > 1:
        return False
    if _LATIN.search(sentence):
        return True
    return not sentence.isascii() and any(
        letters.search(sentence) and pattern.search(sentence) for letters, pattern in _OTHERS
    )
