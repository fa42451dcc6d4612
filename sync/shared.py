"""Mailboxes and domains that many share: nobody is recognised by them."""

_ROLES = """
abuse accounting accounts ads admin administration administrator all anfrage anfragen bestellung bestellungen
billing bookings booking buchhaltung buero biuro büro careers commercial compras compta comptabilite contabilidad
contabilita contact contacto contactus contato contatti customer customers customerservice dispatch donotreply
einkauf empfang enquiries enquiry events facturacion facturation finance financial fakturace faktury gdpr
hello help helpdesk hi hilfe hola host hostmaster hr human-resources info infos information inquiries inquiry
inbox invoice invoices it jobs kancelar kariera kontakt kontakty kundenservice legal logistics mail mailbox
mailer-daemon management marketing media news newsletter no-reply no_reply noc noreply objednavky obchod office
operations orders order partner partners payments payroll personnel post postmaster presse press privacy
procurement purchasing rechnung rechnungen recepce reception recruiting recruitment registration reklamace
reservations reservierung returns rh root sales secretariat secretary security sekretariat service services
shop staff studio suporte support team tech uctarna vendas ventas verkauf vertrieb web webmaster welcome zakaznik
"""
ROLES = frozenset(_ROLES.split())
"""What stands before the @ of an address that a whole office reads, in several languages."""

_PROVIDERS = """
126.com 163.com abv.bg aim.com alice.it aol.com arcor.de att.net azet.sk bigpond.com bluewin.ch bol.com.br
btinternet.com centrum.cz centrum.sk charter.net comcast.net cox.net duck.com earthlink.net email.cz fastmail.com
fastmail.fm foxmail.com free.fr freemail.hu freenet.de gmail.com googlemail.com hey.com hushmail.com icloud.com
inbox.lv inbox.ru interia.pl laposte.net libero.it list.ru live.ca live.co.uk live.com live.de live.dk live.fr
live.it live.nl live.se mac.com mail.com mail.de mail.ee mail.ru me.com msn.com naver.com o2.pl online.de onet.pl
orange.fr pm.me posteo.de post.cz proton.me protonmail.ch protonmail.com qq.com rambler.ru rediffmail.com
rocketmail.com sapo.pt sbcglobal.net seznam.cz sfr.fr sina.com sky.com t-online.de terra.com.br tiscali.it
tuta.com tuta.io tutanota.com tutanota.de uol.com.br ukr.net verizon.net virgilio.it volny.cz wanadoo.fr web.de
wp.pl xs4all.nl yandex.com yandex.ru ya.ru ymail.com zoho.com zohomail.com
"""
PROVIDERS = frozenset(_PROVIDERS.split())
"""Where anybody gets an address: no company's own domain."""

WORLDWIDE = frozenset({"gmx", "hotmail", "outlook", "yahoo"})
"""The same, under whatever ending."""


def is_role(address: str) -> bool:
    """Whether an address, in lower case, is read by an office and not by a person."""
    return address.partition("@")[0].partition("+")[0] in ROLES


def is_provider(domain: str) -> bool:
    """Whether a domain, in lower case, gives addresses to anybody."""
    return domain in PROVIDERS or domain.partition(".")[0] in WORLDWIDE
