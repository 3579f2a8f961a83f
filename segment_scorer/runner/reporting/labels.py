"""The only words about a person that a report may show: channel and country, from closed lists.

Input: any JSON value. Output: a label. A value outside the lists is never shown, because it
could be personal data.
"""

from __future__ import annotations

from collections import Counter

UNKNOWN, ODD, OTHERS = "unknown", "unknown form", "all others"
MOST_ROWS = 12  # of a table; further rows are added up as one
FEWEST = 10  # people in a row, so that no person can be recognised
# Source: Amazon Pinpoint API reference, ChannelType.
CHANNELS = frozenset(
    (
        "PUSH",
        "GCM",
        "APNS",
        "APNS_SANDBOX",
        "APNS_VOIP",
        "APNS_VOIP_SANDBOX",
        "ADM",
        "SMS",
        "VOICE",
        "EMAIL",
        "BAIDU",
        "CUSTOM",
        "IN_APP",
    )
)
# Source: ISO 3166-1, 249 countries, each as its 2-letter code followed by its 3-letter code. An
# endpoint's Location.Country may be either.
CODES = """
    ADAND AEARE AFAFG AGATG AIAIA ALALB AMARM AOAGO AQATA ARARG ASASM ATAUT AUAUS AWABW AXALA
    AZAZE BABIH BBBRB BDBGD BEBEL BFBFA BGBGR BHBHR BIBDI BJBEN BLBLM BMBMU BNBRN BOBOL BQBES
    BRBRA BSBHS BTBTN BVBVT BWBWA BYBLR BZBLZ CACAN CCCCK CDCOD CFCAF CGCOG CHCHE CICIV CKCOK
    CLCHL CMCMR CNCHN COCOL CRCRI CUCUB CVCPV CWCUW CXCXR CYCYP CZCZE DEDEU DJDJI DKDNK DMDMA
    DODOM DZDZA ECECU EEEST EGEGY EHESH ERERI ESESP ETETH FIFIN FJFJI FKFLK FMFSM FOFRO FRFRA
    GAGAB GBGBR GDGRD GEGEO GFGUF GGGGY GHGHA GIGIB GLGRL GMGMB GNGIN GPGLP GQGNQ GRGRC GSSGS
    GTGTM GUGUM GWGNB GYGUY HKHKG HMHMD HNHND HRHRV HTHTI HUHUN IDIDN IEIRL ILISR IMIMN ININD
    IOIOT IQIRQ IRIRN ISISL ITITA JEJEY JMJAM JOJOR JPJPN KEKEN KGKGZ KHKHM KIKIR KMCOM KNKNA
    KPPRK KRKOR KWKWT KYCYM KZKAZ LALAO LBLBN LCLCA LILIE LKLKA LRLBR LSLSO LTLTU LULUX LVLVA
    LYLBY MAMAR MCMCO MDMDA MEMNE MFMAF MGMDG MHMHL MKMKD MLMLI MMMMR MNMNG MOMAC MPMNP MQMTQ
    MRMRT MSMSR MTMLT MUMUS MVMDV MWMWI MXMEX MYMYS MZMOZ NANAM NCNCL NENER NFNFK NGNGA NINIC
    NLNLD NONOR NPNPL NRNRU NUNIU NZNZL OMOMN PAPAN PEPER PFPYF PGPNG PHPHL PKPAK PLPOL PMSPM
    PNPCN PRPRI PSPSE PTPRT PWPLW PYPRY QAQAT REREU ROROU RSSRB RURUS RWRWA SASAU SBSLB SCSYC
    SDSDN SESWE SGSGP SHSHN SISVN SJSJM SKSVK SLSLE SMSMR SNSEN SOSOM SRSUR SSSSD STSTP SVSLV
    SXSXM SYSYR SZSWZ TCTCA TDTCD TFATF TGTGO THTHA TJTJK TKTKL TLTLS TMTKM TNTUN TOTON TRTUR
    TTTTO TVTUV TWTWN TZTZA UAUKR UGUGA UMUMI USUSA UYURY UZUZB VAVAT VCVCT VEVEN VGVGB VIVIR
    VNVNM VUVUT WFWLF WSWSM YEYEM YTMYT ZAZAF ZMZMB ZWZWE
"""
COUNTRIES = {code: pair[:2] for pair in CODES.split() for code in (pair[:2], pair[2:])}


def label_channel(value: object) -> str:
    """Label a channel."""
    if not value:
        return UNKNOWN
    return value if isinstance(value, str) and value in CHANNELS else ODD


def label_country(value: object) -> str:
    """Label a country by its 2-letter code."""
    if not value:
        return UNKNOWN
    return COUNTRIES.get(value.upper(), ODD) if isinstance(value, str) else ODD


def choose_labels(sizes: Counter[str]) -> list[str]:
    """Choose the groups with a row of their own, so that neither they nor the rest are small."""
    shown = [label for label, count in sizes.most_common() if count >= FEWEST]
    if len(sizes) > min(len(shown), MOST_ROWS):
        shown = shown[: MOST_ROWS - 1]
        if sizes.total() - sum(sizes[label] for label in shown) < FEWEST:
            shown = shown[:-1]
    return shown
