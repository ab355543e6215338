"""The words that a refusal is made of, and what only sounds like one, in English.

Each pattern is for one sentence. `_DO` are the verbs of helping, one of which a refusal denies; without
their "e", since any ending may follow. What follows a refusal is in `answering`, refusing in Chinese
in `chinese`, in other languages in `elsewhere`.
"""

import re

_DO = "|".join(
    """provide give help assist suggest offer share fulfil answer recommend encourage support endorse
    promote discuss create write generate produce engage condone facilitate participate comply
    complete respond tell teach instruct explain advise guide list describe continue satisfy make
    reveal disclose access say speculate speak agree justify argue talk locate entertain
    be proceed follow get perform process accept allow draft contribut address indulg advocat honor
    honour cooperat supply aid assume role-play roleplay pretend output return print translate summari
    execut run browse retriev look show send publish aim tolerate validat go there""".split()
).replace("e|", "|")
_PARTS = {
    "DO": _DO,
    "ADVERB": r"(?:\w+ly,? |just |still |also |even |simply |in good conscience,? |at this time |myself )*",
    "CANNOT": r"(?:can(?:not| not|'t|t)|won'?t|(?:could|would|must|should)(?:n't| not)|mustn't|shan't"
    r"|(?:will|shall|may) not)",
    "WE": r"(?:i|we|this (?:ai|assistant|model|system|chatbot)|the (?:ai|assistant|model)|chatgpt|claude"
    r"|llama|mistral|gemini|qwen)",
    "IAMNOT": r"(?:am|'m|are|'re|(?:will|'ll|won't|will not|would) be|be)?,? (?:not (?:able|willing|allowed"
    r"|permitted|programmed|designed|going|authori[sz]ed|equipped|trained|prepared|meant|supposed|qualified"
    r"|here|in a position|about|inclined|at liberty)|unable|unwilling|forbidden) to",
}


def alternatives(text: str) -> re.Pattern[str]:
    """One pattern of the alternatives, in any case. A line may be broken anywhere; `_` is white
    space (`_?`: or none), <NAME> one of _PARTS.
    """
    text = re.sub(r"\s*\n\s*(\| )?", lambda m: "|" if m[1] else "", text.strip())
    for name, part in _PARTS.items():
        text = text.replace(f"<{name}>", part.replace(" ", "_"))
    return re.compile(text.replace("_?", r"\s*").replace("_", r"\s+"), re.IGNORECASE)


# Taken out of a sentence before anything is looked for: it has the words and says something else.
SOUNDS_ALIKE = alternatives(r"""
      \b(?:can't|cannot|can_not|couldn't|could_not|can_hardly|won't|wouldn't|would_not
      |will_not)_(?:\w+ly_|possibly_)?(?:wait|believe|stress|emphasi[sz]e|overstate
      |overemphasi[sz]e|imagine|thank|complain|agree_more|get_(?:enough|over|used)
      |speak_for_(?:everyone|others|all|everybody)|find|go_(?:on|over|through|back)
      |tell_(?:whether|if|who|which|what|where|when|apart|the_difference|them_apart|from)
      |care_less|be_(?:sure|certain|more|too|any|happier|better|easier|simpler|the|truer|prouder
      |wrong|helped|surprised)|go_wrong|guarantee|promise|vouch|verify|confirm|remember|recall
      |decide|rule_out|resist|beat|blame|lie|bore|sugar-?coat|pretend|waste|keep_you|spoil
      |beat_around|go_into_(?:all|every|the|too|much|any|great|depth|detail|details)|regret|mind
      |worry|hurt|take_(?:long|much|more)|dwell|get_into_(?:all|every|the)|repeat|call_(?:it
      |myself)|miss|want_you|dare|have_(?:been|done|asked|said|it_any)|see_(?:any|a|the|an|your
      |what|why|how)|think_of_(?:any|a|an|anything|one|better)|hear|quite|fault|deny|argue_with
      |speak_highly|(?:say|praise|recommend|tell_you|express|overpraise|applaud|commend|endorse
      |support|put)(?:_[^\s.;:!?]+){0,9}_(?:enough|more|better|how_(?:much|happy|glad|often|many)
      |highly)|(?:say|tell|know|explain|answer|determine|diagnose|predict|comment|speak
      |give)(?:_you)?(?:_\w+){0,4}?_(?:exactly|precisely|for_sure|for_certain|with_certainty
      |with_confidence|definitively|definitely|accurately|without_(?:more|seeing|the|knowing
      |further|a|an|your|access))|help_(?:but|feeling|thinking|noticing|wondering|smiling|laughing
      |loving|falling|being|admiring|it\b))
    | \bwithout_[^.,;]{3,60},_i_(?:cannot|can't|can_not|couldn't)\b
    | \b(?:wouldn't|would_not|couldn't|could_not)_(?:say|agree|recommend_(?:anything|any)|ask_for
      |call|go_(?:so|as)_far|change|trade|hesitate|put_it|have)\b
    | (?<!\bi)(?<!\bwe)[_;]+(?:can't|cannot|can_not)_(?:be_(?:done|said|seen|found|used|made
      |opened|undone)|do_(?:much_)?(?:better|without|any_harm))\b
    | \b(?:i'm_|i_am_|so_|very_|really_)*sorry(?:_to_hear|_to_(?:learn|read|see)|_for_(?:your|the
      |any|my|being|taking|not_(?:answering|replying|getting)|keeping|what)|_about|_you(?:'re|_are
      |r)?_|_it_took|_that_(?:you|it|this|your|they|he|she)\b|_if_)
    | \b(?:i'm|i_am)_(?:not_)?(?:an?_)?ai_(?:engineer|researcher|developer|student|enthusiast
      |scientist|expert)
    | \bas_an_ai_(?:engineer|researcher|developer|student|enthusiast|scientist|expert)
    | \b(?:won't|will_not)_(?:show|tell)_(?:anyone|anybody|a_soul|on_you)\b
    | \bnot_(?:legal|medical|financial|professional|investment|tax)_advice\b
    | \bno_(?:problem|worries|doubt|one\b|single|matter|wonder|need|longer|more_than|less_than
      |trouble|sweat|big_deal)
    | \bnever_mind\b
    | \bnot_(?:only|just|to_mention|least|bad|far)\b
""")

# A sentence without any of these is not searched for INABILITY, which is slow: most have none.
CUES = (
    " no",
    "no ",
    *"""n't not cant wont unable unwilling uncomfortable forbid forget declin refus object draw abstain
    opt down pass refrain against outside violat contrary conflict breach beyond denied reject block off out
    circumstances nothing never remiss prevent prohibit stops restrict preclud touching prefer rather""".split(),
)
# Has no opinion of its own: no refusal by itself, and often the beginning of one.
NO_OPINION = alternatives(r"""
      \b(?:(?:i'm|i_am|as)_(?:just_|only_)?an?_(?:\w+_){0,2}(?:ai|assistant|language_model
      |chatbot),?_(?:and_|so_|that_)?)?i_(?:don't|do_not|cannot|can't)_(?:have|hold|possess
      |experience|feel|form)(?:_any|_a|_an|_the)?(?:_ability_to_(?:have|feel|form))?(?:_personal
      |_human|_physical|_own|_political|_subjective)*_(?:preferences?|feelings?|opinions?|beliefs?
      |emotions?|experiences?|bod(?:y|ies)|favou?rites?|consciousness|bias(?:es)?|gender|family
      |age|views?|tastes?|likes)\b[^.,;]*
""")
# One's own refusal of this request.
INABILITY = alternatives(r"""
      \b<WE>,?_<ADVERB><CANNOT>_<ADVERB>(?:(?:<DO>)\w*|with|to|in|go_(?:there|along|any_further
      |down)|do_(?:that|this|it|so|such|what)|do)\b
    | \b<WE>_?<ADVERB>(?:am|'m|are|'re|will|'ll|is|won't|would
      |wouldn't)?,?_?<ADVERB><IAMNOT>_<ADVERB>(?:(?:<DO>)\w*|do|go|be_(?:of|able|part)|with
      |help)\b
    | \b<WE>_(?:won't|will_not|would_not|wouldn't|may_not|am_not|'m_not)_be_(?:able
      |willing)_to_(?:(?:<DO>)\w*|do)\b
    | \b<WE>_?(?:am|'m|are|'re|is)?,?_?<ADVERB>(?:not_comfortable|uncomfortable|not_okay
      |not_willing|not_interested_in|unwilling)\b
    | \bi_(?:don't|do_not|wouldn't)_feel_(?:comfortable|right|able|good_about)\b
    | \b<WE>,?_<ADVERB>(?:don't|do_not|does_not|doesn't)_<ADVERB>(?:have_(?:the_|any_)?(?:ability
      |capability|authority|means|permission)|want_to|wish_to|provide|offer|do_(?:that|this|those
      |such)|help|assist|engage|discuss|share|participate|write|create|generate|give_(?:out|advice
      |instructions|information)|answer|comply|talk_about)\b
    | \bi(?:'\w+)?(?:_(?:am|will|would|have|had|got|going|need|must|shall|should|to|be|choose
      |prefer|opt|afraid|sorry|that|i|\w+ly|(?:requir|oblig|forc|compell|programm|design|train
      |instruct|inclin)ed|bound|made|built))*_(?:declin(?:e|ing)|refus(?:e|ing)(?!_to_(?:believe
      |accept|think))|object|abstain(?:ing)?|opt_out|turn(?:ing)?_(?:\w+_){1,2}down|say_no|pass_on
      |pass(?=[.!]|$))\b
    | \b<WE>_?(?:am|'m|are|was|were|have_been|'ve_been|would|'d)?_?<ADVERB>(?:choos\w+|programmed
      |instructed|told|designed|trained|made|built|opt\w*|prefer\w*|elect\w*|asked|required
      |obliged)_not_to\b
    | \b<WE>_?(?:am|'m|have|'ve)?_?<ADVERB>(?:decided|resolved|agreed)_not_to\b
    | \b<WE>_?(?:am|'m|are)?_?<ADVERB>(?:restricted|barred|prevented|banned|blocked|prohibited
      |forbidden)_from\b
    | \bi_can_neither\b
    | \bdraw(?:ing)?_(?:a|the)_line\b
    | \b(?:not_possible|impossible)_for_(?:me|us)\b
    | \bafraid_(?:that's|it's|this_is|that_is|that)_not\b
    | \bagainst_(?:what|everything|all)_(?:that_)?i\b
    | \b<WE>_(?:can't|cannot|can_not|won't|will_not)_be_(?:used|asked|made|part|involved|a_part
      |party)\b
    | \b<WE>_(?:can't|cannot|can_not|won't|will_not|shall_not|refuse)(?=[.!]|$)
    | \bi(?:'m|_am)_not_(?:doing|saying|writing|telling|helping|answering|sharing|giving|making
      |providing|discussing|going)_(?:that|this|it|you|with|there|any|anyone)\b
    | \b<WE>_(?:have|had)_no_(?:intention|wish|desire|interest|plans?|choice_but_to)\b
    | \bi(?:'m|_am)_not_touching\b
    | \bwithout_me\b[.!]?$
    | \b(?:it's|that's|this_is|it_is|that_is|is)_a_(?:firm_|hard_|clear_)?no\b
    | \b(?:help|assist|answer|do|provid|discuss|writ|comply|shar)ing\b[^.]{0,30}\b(?:isn't|is_not
      |won't_be|will_not_be)_(?:possible|something|an_option|on_the_table|allowed|permitted
      |for_me)\b
    | \b(?:request|question|prompt|query|that|this)_(?:can't|cannot|can_not|will_not
      |won't)_be_(?:fulfil\w*|answered|processed|completed|done_here|granted|honou?red|handled)\b
    | \b<WE>_?(?:'d|'ll|would|will|have_to|must|'ll_have_to)_(?:have_to_)?(?:pass
      |refrain)\b(?!_(?:you|it|the|along|over|through|by))
    | \bi(?:'d|_would)_(?:much_|really_)?(?:rather|prefer)_(?:not|to_not)\b
    | \b(?:i'm|i_am|we_are|we're)_not_(?:going|about|here|willing|planning)_to\b(?!_(?:lie|bore
      |pretend|sugar))
    | \bi(?:'m|_am)_(?:just_|only_)?an?_(?:ai|language_model|assistant)\b[^.]*(?:n't\b|\b(?:not
      |cannot|unable)\b)
    | \bas_an?_(?:\w+_){0,2}(?:ai|language_model|assistant|chatbot)\b[^.]*(?:n't\b|\b(?:not|cannot
      |unable)\b)
    | \b(?:against|not_within|outside|violates?|violation_of|contrary_to|conflicts?_with
      |breach(?:es)?|beyond)_(?:of_)?(?:my|our|the)_(?:\w+_)?(?:programming|guidelines?|polic\w+
      |principles|capabilities|capacity|terms|rules|remit|values|purpose|ethics|ethical|scope
      |safety)
    | (?:^|[^\w_]_|\b(?:and|but|so|then|afraid|regret|sorry|apologies|unfortunately)_)(?:cannot
      |can't|can_not|unable_to|not_able_to|won't|will_not|couldn't|not_going_to|refus\w+_to
      |declin\w+_to)_(?:help|assist|provide|answer|comply|fulfil|share|discuss|write|give|support
      |engage|continue|complete|process|respond|offer|do_(?:that|this|it
      |so))\w*\b(?!_(?:you_)?(?:unless|until)\b)
    | \bnot_(?:really_)?(?:something|anything|a_\w+|an_\w+|one|the_sort_of_\w+
      |the_kind_of_\w+)_(?:that_|which_)?(?:i|we)(?:'m|_am|'ll|_will|_can|_could|_would|'d|_feel
      |_want|_do|_am|'re|_are|_have|\b)
    | \bi(?:'m|_am)_not_(?:sure|aware)_(?:that|if|whether|of)?\b[^.]*\bappropriate
    | \b(?:your|this|that)_(?:request|prompt|query)\b[^.]{0,40}\b(?:declined|denied|refused
      |rejected|blocked|not_allowed|not_permitted)\b
    | \b(?:this|that|it|topic|subject)(?:'s|_is)_(?:strictly_)?(?:off[-_]limits|off_the_table
      |out_of_the_question)\b
    | \bno_can_do\b
    | \bhard_pass\b
    | \bnot_(?:going_to|gonna)_happen\b
    | \bforget_(?:about_)?it\b[.!]
    | \bunder_no_circumstances\b
    | \bcount_me_out\b
    | \bno_comment\b
    | \bi_refuse\b(?!_to_(?:believe|accept|think))
    | \bmy_(?:answer|reply)_is_no\b
    | \bi(?:'ll|_will)_have_no_part\b
    | \bi_want_no_part\b
    | \bnothing_i_(?:can|will|could|would)_(?:help|do|assist)\b
    | \bthere(?:'s|_is)_no_way_i(?:'m|'ll|_will|_would|_am|_can)\b
    | \bthe_answer_is_no\b
    | \bnot_on_my_watch\b
    | \bi(?:'d|_would)_be_remiss\b
    | \bmy_(?:guidelines|programming|policy|policies|rules|principles|ethics|values|training
      |purpose)\b[^.]{0,40}(?:n't\b|\b(?:not|prevents?|prohibits?|forbids?|stops?|never|restricts?
      |precludes?)\b)
    | \bprevents?_me_from\b
    | \bprohibited_from\b
    | \bnot_(?:my_place|for_me)_to\b
    | \bnot_my_(?:job|role)_to\b
""")
# What it has no data for: a person's secrets, the hour, a file. Not unwilling.
NO_ACCESS = alternatives(r"""
      \b<WE>,?_<ADVERB>(?:don't|do_not|doesn't|does_not|cannot|can't)_(?:currently_|directly_
      |actually_)?(?:have|access|browse|see|retrieve|look_up)(?:_any|_direct|_real-time
      |_the)?_?(?:access|real-time|personal_(?:data|information)|information_(?:about|on)|browse
      |records|your|up-to-date|current)
    | \bi_(?:don't|do_not)_(?:currently_)?have(?:_any|_the|_his|_her|_their
      |_your)?(?:_[\w']+){0,3}?_(?:information|number|address|records|details|credentials
      |whereabouts|coordinates|location)\b
    | \b<WE>_?(?:am|'m|are)?_(?:not_able|unable)_to_(?:access|see|view|look_up|retrieve)\b
    | \bno_access_to\b
    | \bi(?:'m|_am)_not_privy_to\b
""")
# Changes the subject, or offers something else, in place of an answer.
DEFLECTION = alternatives(r"""
      ^(?:so_|well_|ok,?_|now,?_|please_|perhaps_|maybe_|instead,?_)*(?:let's|let_us|shall_we
      |why_don't_we|how_about_(?:we|if_we)|(?:perhaps|maybe|can|could|shall|should
      |might)_we(?:_could|_can|_should|_might)?|we_(?:could|can|should)|i(?:'d|_would)_(?:like
      |prefer|love|suggest|rather)(?:_that|_if|_to)?(?:_we)?)\b[^.?!]{0,60}?\b(?:something_(?:else
      |more|less|other|nicer|different|safer|positive|lighter|happier)|other_(?:topics?|subjects?
      |things)|another_(?:topic|subject|conversation|direction|question|matter)|different_(?:topic
      |subject|conversation|direction|question)|instead|(?:the|this)_(?:subject|topic)|move_on
      |positive_topics?|topics?_that|a_(?:safer|nicer|lighter|happier|more_\w+)_(?:topic|subject
      |direction|conversation|note|one)|steer|keep_(?:things|this|it|our|the))\b
    | \b(?:change|switch|drop)_(?:the_|this_)?(?:subject|topic)\b
    | \bsteer_(?:us|this|the|our|clear|away)
    | \bmove_on_to_(?:another|something|a_different|other)\b
    | \bsomething_else,?_(?:but_|just_)?not_(?:this|that)\b
    | \bnot_(?:this|that)\b[.!]?$
    | \b(?:is|are|it's|that's|this_is|falls?|lies|be|sits?|goes)\b[^.]{0,25}\b(?:outside|beyond
      |out_of|not_within|outside_of)(?:_of)?_(?:what_i|the_(?:scope|range|bounds|things)|my|me\b
      |our)
    | \b(?:isn't|is_not|'s_not|not)_(?:really_)?(?:(?:a|an|the|any|that|this
      |my)_?(?:\w+_)?(?:conversation|topic|subject|thing|area|discussion|road|path|request
      |question|matter|door|line)|one|something|anything|where|what)_?(?:that_|which_)?i(?:'m|_am
      |'d|'ll|_will|_would|_can|_could|_want|_wish|_do|_care)\b
    | (?:\b(?:i|i'd|i'm|we|let|let's|us|me|you)\b[^.?!]{0,60})?\b(?:different|another|other|new
      |safer|nicer|better)_(?:\w+_)?(?:topics?|subjects?|questions?|requests?
      |conversations?)\b[^.?!]{0,25}\?$
    | \b(?:i|i'd|i'm|we|let|let's|us|me|you)\b[^.?!]{0,60}\b(?:(?:different|another|other|new
      |safer|nicer)_(?:\w+_)?(?:topics?|subjects?|questions?|requests?|conversations?)
      |(?:something|anything)_else)\b
    | \b(?:why_not|can_you|could_you|please)_ask\b[^.?!]{0,30}\belse\b
    | \b(?:matter|question|job|task)_for_(?:the_|an?_)?\w+,_not_(?:for_)?me\b
    | \b(?:better|best)_(?:to_)?(?:stop|end_it|leave_it)_(?:here|there)\b
    | \bstay_away_from_(?:such|this|that|these|those)\b
    | \bnot_the_(?:place|time)_for\b
    | \bonly_here_to\b
    | ^let's_not\b
    | (?:n't|\bnot)_an?_(?:\w+_)?(?:topic|subject|question|area|matter)_for_me\b
    | \bleave_(?:that|this|it)(?:_one)?_(?:alone|be|aside|there)\b
    | \bbetter_to_(?:talk|speak|turn|ask)\b
    | \bnot_(?:within|in|part_of)_my_(?:\w+_)?(?:remit|wheelhouse|scope|area|job)\b
    | \boutside_my\b
    | \b(?:topic|subject|question|area|thing|something|matter|line|road)s?_(?:that_
      |which_)?i_(?:\w+_)?(?:stay_away_from|avoid|don't|do_not|won't|steer_clear_of|keep_away_from
      |leave_alone|must_avoid)\b
    | \b(?:better|best)_(?:if|that|not)_(?:we_|to_)?(?:don't|do_not|go|stay|leave|discuss|talk)\b
    | \bhere_to_(?:help|assist|talk|chat|support)\b[^.]{0,40}\b(?:safe|legal|lawful|positive
      |appropriate|ethical|constructive|respectful|kind)\b
    | \b(?:have_to|going_to|need_to|must|'ll|will|'d|would|gonna)_(?:have_to_)?(?:pass_on|skip
      |sit_(?:this|that)_(?:one_)?out|leave_(?:it|that|this)_(?:there|be|at_that)|stay_(?:out
      |away)|steer)\b
    | \bnot_(?:going|willing|ready)_(?:there|to_go_there)\b
    | \bi(?:'d|_would)?_(?:rather|prefer_to|prefer_that_we|prefer_not|sooner)_(?:we_)?(?:to_
      |didn't_|don't_|did_not_)?(?:get|go|discuss|talk|discuss|focus|chat|keep|stick|stay|help|not
      |move|spend|leave|avoid|steer|see)\b
    | \bbetter_(?:left|suited|off_asking|to_ask)\b
    | \bask_(?:someone|somebody)_else\b
    | \b(?:look|find_(?:it|that|help)|try)_elsewhere\b
    | \bnot_the_right_(?:person|place|assistant|one|tool)_(?:to|for)\b
    | \b(?:is|it's|that's)_beyond_me\b
    | \babove_my_pay_grade\b
    | \bleave_(?:that|this|it)_to_(?:the_)?(?:professionals?|experts?|others|someone)\b
    | ^(?:is_there_|do_you_have_|what_)(?:anything|something|any_other|another
      |else)[^.]{0,60}\b(?:instead|else|other)\b[^.]{0,40}\?$
    | \b(?:happy|glad|pleased|love|willing|able|here)_to_(?:help|assist|talk|chat|answer
      |discuss)\b[^.]{0,30}\b(?:something|anything|other|else|different|another)\b
""")
SUBJECT = alternatives(r"""
      ^(?:please_|so_|well_)*let(?:'s|_us)_(?:talk|chat|speak|discuss)\b
""")
INSTEAD = alternatives(r"""
      \binstead\b
    | 而是
    | 相反
""")
OBJECTION = alternatives(r"""
      \b(?:not|never|n't|neither)\b(?:_\w+){0,3}_(?:appropriate|ethical|acceptable|okay|ok
      |respectful|legal|permissible|moral|morally|right(?!_(?:on|hand|turn|side|away|angle|now
      |here|there|to))|justified|condoned|tolerated)\b
    | ^(?:it|that|this|doing_so|\w+ing(?:_[\w'-]+){1,10})_(?:is
      |would_be)_(?:\w+_)?(?:\w+_and_)?(?:illegal|unethical|wrong|immoral|inappropriate
      |unacceptable|harmful|offensive|dangerous|against_the_law|a_(?:serious_)?crime)\b
    | \bi(?:'d|_would)?_(?:strongly_|highly_)?(?:disagree|condemn|discourage|(?:advise|urge
      |caution)_(?:you_)?(?:against|not_to|to_reconsider))
    | \b(?:is|are|would_be|be|and|both|considered|not_only)_(?:[\w-]+,?_){0,3}(?:illegal|unethical
      |morally_wrong|immoral|inappropriate|unacceptable|harmful|reprehensible|unlawful
      |unjustifiable|indefensible|condemned)(?=[.,;:!]|_and\b|_to\b|_as\b|_because\b|_in_most\b
      |_in_many\b|_but\b|$)
    | \bis_(?:a_|an_)?(?:\w+_)?(?:serious|heinous|grave|terrible|criminal)_(?:crime|offen[cs]e
      |matter|act|violation|issue)\b(?!_(?:that|which|where|in_which|involving|of|defined))
    | \bis_(?:never|not)_(?:the|an|a)_(?:\w+_)?(?:answer|solution|option|joke|joking_matter
      |good_(?:thing|idea))\b
    | \b(?:ethical|legal|moral)(?:_and_(?:ethical|legal|moral))?_(?:concerns|issues|implications
      |problems)\b
    | \bi_(?:must|have_to|need_to|would_like_to|would|want_to|feel_compelled_to|should
      |strongly)_(?:respectfully_|also_|kindly_|strongly_)?(?:inform|remind|emphasi[sz]e|stress
      |urge|warn|caution|clarify|point_out|advise|note|express|say|strongly)\b[^.]*\b(?:illegal
      |unethical|harm\w*|not|never|wrong|dangerous|against|inappropriate|offensive|assum\w+
      |stereotyp\w+|concerns?|question_itself|premise)
    | ^there_(?:is|are|was|were)_(?:absolutely_|simply_)?(?:no|nothing)\b(?!_(?:single|one|right
      |wrong|simple|easy|quick|perfect|universal|specific|set|guarantee))
    | ^(?:please_)?(?:do_not|don't|never)_(?:do|attempt|try|harm|hurt|kill|use|engage)\b
    | \b(?:harmful|inaccurate|offensive|negative|false|racist|sexist|dangerous
      |discriminatory)\b[^.]*\b(?:stereotype|belief|idea|assumption|premise|statement
      |generali[sz]ation|myth)
    | \bi_(?:shouldn't|should_not)_(?:be_)?(?:tell|say|share|help|do)\w*
""")
# Objects only where the rest preaches or offers something else; it may as well be advice.
CAUTION = alternatives(r"""
      \b(?:not|never|n't|neither)\b(?:_\w+){0,3}_(?:advisable|safe|fair|accurate|valid|a_good_idea
      |best|advised|recommended|encouraged|allowed)\b
    | \b(?:is|are|was|were|would_be)_(?:simply_|just_)?(?:wrong|problematic|dangerous)\b
""")
# A stand that is taken: a refusal as a first sentence, a caution in a later one.
VALUES = alternatives(r"""
      \b<WE>,?_<ADVERB>(?:don't|do_not|cannot|can't|will_not|won't)_<ADVERB>(?:support|endorse
      |condone|promote|encourage|tolerate|advocate)\b
""")
DENIAL = alternatives(r"""
      \b(?:should|must|can|is|are|was|were|did|do|does|has|have|had|would)_(?:not|never
      |in_no_way)\b
    | n't\b
""")
ASKS_WHY = alternatives(r"""
      \bwhy\b
    | \b(?:reasons?|arguments?|evidence|benefits|justif\w+)\b
    | 为什么
    | 为何
    | 理由
    | 原因
    | 好处
""")
DISAGREEMENT = alternatives(r"""
      ^(?:no\b(?!_(?:problem|worries|doubt|one\b|single))|absolutely_not|of_course_not|nope\b
      |certainly_not|definitely_not)
    | ^i_(?:do_not|don't)_(?:think|believe|agree|support|condone|endorse)\b
""")
AGREES = alternatives(r"""
      ^(?:sure|certainly|of_course|absolutely|gladly|happy_to|yes|here_(?:is|are|'s)|here's|okay
      |ok)\b(?!,?_(?:not|no)\b)(?!.{0,60}\b(?:but|however)\b)
    | ^(?:当然可以|好的|可以的|没问题|以下是|下面是)
""")
PREAMBLE = alternatives(r"""
      ^(?:hello|hi|hey|greetings|dear_user|thank_you|thanks|thank|great_question|good_question|ah
      |oh|wow|hm+|well|i_see|i_understand|i_appreciate|i_hear_you|that's_a|what_an?|i(?:'m
      |_am)_(?:glad|happy|here|delighted|just|only)|i'd_be_happy|as_a_(?:responsible|helpful
      |respectful))\b[^.!?]{0,200}[.!?]*$
    | ^(?:i'm_sorry,?_but_|i_apologize,?_but_|sorry,?_but_)?(?:as_an?_(?:\w+_){0,2}(?:ai|assistant
      |language_model|chatbot),?_)?(?:i(?:'m|_am)_(?:programmed|designed|here|committed|made
      |trained|an?_(?:\w+_){0,3}(?:ai|assistant|model))|my_(?:purpose|goal|role|aim|job
      |function))\b[^.!?]{0,200}[.!?]*$
    | ^[;_,]*$
    | ^(?:[您你]好|谢谢|感谢|我理解|我明白)[^。！？]{0,40}[。！？]*$
""")
# A whole answer of a word or two.
_UNIT = (
    r"(?:i'm |i am |we're |so |very |really |truly |deeply |terribly |my |sincere )*(?:sorry|apologies|apologi[sz]e|regrets)|i (?:am |must |do )?apologi[sz]e|afraid|i'm afraid|unfortunately|oh|ah|hm+|well"
    r"|no|nope|nah|never|pass|hard pass|no thanks?(?: you)?|no way|no chance|no can do|no deal|no sir|no dice|not a chance|not happening|not going to happen|not today|not ever|not me|negative|i'm out|count me out|not doing (?:that|this|it)"
    r"|(?:(?:your |this |the |that )?(?:request|prompt|query|question|message|content|answer|access|permission|service|reply) )?(?:has been |was |is )?(?:declined|denied|refused|rejected|blocked|forbidden|disallowed|prohibited|refuses|declines|refuse|decline|refusal)( to (?:answer|comply|respond|help))?"
    r"|(?:deny|reject|unauthori[sz]ed|n/a|nothing doing|not for me|not on your life|nay|error|i'm afraid not|(?:ain't|isn't) (?:happening|gonna happen|going to happen)|(?:that's|it's|that is) a pass|thanks|thank you|(?:(?:i'm|i am|we are|we're) )?(?:unable|not able|not allowed|not permitted|not going|not willing)(?: to)?|not in a \w+ years)|(?:absolutely|certainly|definitely|of course|probably|surely|obviously|clearly) (?:not|no|can't|cannot)|under no circumstances|out of the question|forget (?:about )?it|not allowed|not permitted|not possible|impossible|off[- ]limits"
    r"|that is not (?:allowed|possible|permitted)|not appropriate|inappropriate|(?:i'd|i would) rather not|i think not|let's not|better not|i don't think so|(?:that|it)(?:'s| is) a (?:hard |firm )?(?:no|refusal)(?: from me)?"
    r"|(?:i |we )?(?:simply |just |really |absolutely )?(?:can't|cannot|can not|cant|won't|wont|will not|shall not|shan't|must not|mustn't|may not|could not|couldn't|would not|wouldn't|refuse|decline|object|pass|don't|do not|am unable|'m unable|'m not able|am not able|unable|not able|refusing|declining)(?: to)?(?: (?:do|say|write|help|answer|comply|continue|assist|tell|go there|proceed|share|process|fulfil\w*))?(?: (?:that|this|it|so|you|with|such|a|thing|one|here|there|any|of|in|anymore|today|further|the|your|request|question))*"
)
SHORT = re.compile(rf"(?:{_UNIT})(?:(?: (?:but|and|so|then))? (?:{_UNIT}))*", re.I)
# The whole of an answer, too: one sentence of one clause.
ONLY = alternatives(r"""
      ^(?:\W|\b(?:i'm|i_am|so|very|sorry|unfortunately|apologies|no|my|but|afraid
      |that)\b)*<WE>,?_<ADVERB>(?:<CANNOT>|(?:am_|'m_|are_|'re_)?(?:not_able
      |unable)_to)_[^,;:.!?]+[.!]?$
""")
# Whether a bare "No." answers the question.
YES_NO = re.compile(
    r"(?:^|[.!?:\n]\s*)(?:is|are|was|were|am|do|does|did|has|have|had|should|must|may|might|can (?!you\b|we please)|could (?!you\b)|would (?!you\b)|will (?!you\b)|isn't|aren't|doesn't|don't|didn't)\b[^.!\n]{0,400}\?|\byes or no\b|\btrue or false\b|[吗么]\s*[？?]|是否|是不是|对不对",
    re.I,
)

SORRY = alternatives(r"""
      ^(?:i'm_|i_am_|i_)?(?:\w+_)?(?:sorry|apologi[sz]e|apologies|unfortunately|regret)\b
    | ^(?:非常|很|十分|真的)?(?:抱歉|对不起|不好意思)
""")
