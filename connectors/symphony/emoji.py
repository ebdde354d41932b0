"""Symphony's emoji short names, as the characters they stand for.

Rules of this file: one table, nothing else. A received emoji normally carries its character beside its
short name; this table serves the clients that leave it out. A name that is not here is shown as it is
written, between colons: readable, and never lost.
"""

from __future__ import annotations

_TABLE = """
grinning 😀 smiley 😃 smile 😄 grin 😁 laughing 😆 satisfied 😆 sweat_smile 😅 rofl 🤣 joy 😂
slight_smile 🙂 upside_down 🙃 wink 😉 blush 😊 innocent 😇 smiling_face_with_3_hearts 🥰 heart_eyes 😍
star_struck 🤩 kissing_heart 😘 kissing 😗 relaxed ☺️ kissing_closed_eyes 😚 yum 😋 stuck_out_tongue 😛
stuck_out_tongue_winking_eye 😜 zany_face 🤪 stuck_out_tongue_closed_eyes 😝 money_mouth 🤑 hugging 🤗
thinking 🤔 zipper_mouth 🤐 raised_eyebrow 🤨 neutral_face 😐 expressionless 😑 no_mouth 😶 smirk 😏
unamused 😒 rolling_eyes 🙄 grimacing 😬 relieved 😌 pensive 😔 sleepy 😪 sleeping 😴 mask 😷
thermometer_face 🤒 nauseated_face 🤢 sneezing_face 🤧 hot_face 🥵 cold_face 🥶 dizzy_face 😵
exploding_head 🤯 partying_face 🥳 sunglasses 😎 nerd 🤓 monocle_face 🧐 confused 😕 worried 😟
slight_frown 🙁 frowning2 ☹️ open_mouth 😮 hushed 😯 astonished 😲 flushed 😳 pleading_face 🥺
frowning 😦 anguished 😧 fearful 😨 cold_sweat 😰 disappointed_relieved 😥 cry 😢 sob 😭 scream 😱
confounded 😖 persevere 😣 disappointed 😞 sweat 😓 weary 😩 tired_face 😫 yawning_face 🥱 triumph 😤
rage 😡 angry 😠 face_with_symbols_over_mouth 🤬 smiling_imp 😈 skull 💀 poop 💩 clown 🤡 ghost 👻
alien 👽 robot 🤖 see_no_evil 🙈 hear_no_evil 🙉 speak_no_evil 🙊 kiss 💋 heart ❤️ orange_heart 🧡
yellow_heart 💛 green_heart 💚 blue_heart 💙 purple_heart 💜 black_heart 🖤 broken_heart 💔 two_hearts 💕
sparkling_heart 💖 heartbeat 💓 100 💯 anger 💢 boom 💥 collision 💥 dizzy 💫 sweat_drops 💦 dash 💨
speech_balloon 💬 thought_balloon 💭 zzz 💤 wave 👋 raised_hand ✋ vulcan 🖖 ok_hand 👌 v ✌️
fingers_crossed 🤞 metal 🤘 call_me 🤙 point_left 👈 point_right 👉 point_up_2 👆 point_down 👇 point_up ☝️
thumbsup 👍 +1 👍 thumbsdown 👎 -1 👎 fist ✊ punch 👊 clap 👏 raised_hands 🙌 open_hands 👐
handshake 🤝 pray 🙏 writing_hand ✍️ muscle 💪 eyes 👀 eye 👁️ shrug 🤷 facepalm 🤦 person_shrugging 🤷
person_facepalming 🤦 bow 🙇 dog 🐶 cat 🐱 bear 🐻 cow 🐮 bull 🐂 ox 🐂 pig 🐷 monkey 🐒 unicorn 🦄
rabbit 🐰 dragon 🐉 snake 🐍 tiger 🐯 rose 🌹 sunflower 🌻 four_leaf_clover 🍀 coffee ☕ tea 🍵 beer 🍺
beers 🍻 champagne 🍾 wine_glass 🍷 tropical_drink 🍹 birthday 🎂 cake 🍰 pizza 🍕 hamburger 🍔 apple 🍎
fire 🔥 star ⭐ star2 🌟 sparkles ✨ zap ⚡ sunny ☀️ cloud ☁️ rainbow 🌈 snowflake ❄️ umbrella ☔ moon 🌔
earth_americas 🌎 earth_asia 🌏 earth_africa 🌍 tada 🎉 confetti_ball 🎊 balloon 🎈 gift 🎁 trophy 🏆
first_place 🥇 medal 🏅 soccer ⚽ basketball 🏀 dart 🎯 game_die 🎲 rocket 🚀 airplane ✈️ red_car 🚗 taxi 🚕
house 🏠 office 🏢 bank 🏦 hourglass ⌛ watch ⌚ alarm_clock ⏰ iphone 📱 telephone_receiver 📞 computer 💻
bulb 💡 moneybag 💰 money_with_wings 💸 dollar 💵 yen 💴 euro 💶 pound 💷 credit_card 💳 gem 💎 chart 💹
chart_with_upwards_trend 📈 chart_with_downwards_trend 📉 bar_chart 📊 date 📅 calendar 📆 pushpin 📌
paperclip 📎 memo 📝 pencil 📝 email 📧 envelope ✉️ books 📚 newspaper 📰 lock 🔒 unlock 🔓 key 🔑 mag 🔍
bell 🔔 no_bell 🔕 loudspeaker 📢 mega 📣 warning ⚠️ no_entry ⛔ x ❌ white_check_mark ✅
heavy_check_mark ✔️ ballot_box_with_check ☑️ question ❓ grey_question ❔ exclamation ❗ bangbang ‼️
red_circle 🔴 green_circle 🟢 blue_circle 🔵 yellow_circle 🟡 arrow_up ⬆️ arrow_down ⬇️ arrow_left ⬅️
arrow_right ➡️ recycle ♻️ copyright ©️ registered ®️ tm ™️ flag_us 🇺🇸 flag_cn 🇨🇳 flag_hk 🇭🇰 flag_gb 🇬🇧
flag_jp 🇯🇵 flag_sg 🇸🇬 flag_fr 🇫🇷 flag_de 🇩🇪
"""

_WORDS = _TABLE.split()
CHARACTERS: dict[str, str] = dict(zip(_WORDS[::2], _WORDS[1::2], strict=True))


def character(shortcode: str) -> str:
    """The character of a short name, with or without colons; `:name:` when nobody knows it."""
    name = shortcode.strip(":")
    return CHARACTERS.get(name.lower(), f":{name}:")
