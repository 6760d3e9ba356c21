"""Rule lines, taken apart as iptables-save prints them."""

import pytest

from pykubeproxy.netfilter.syntax import Clause, Option, parse_rule


def test_a_rule_of_kube_proxy() -> None:
    parsed = parse_rule(
        "-A KUBE-SVC-X ! -s 10.244.0.0/16 -d 10.96.1.1/32 -p tcp "
        '-m comment --comment "ns1/lb:http cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ'
    )
    assert parsed.matches == (
        Clause(
            "",
            (Option("-s", ("10.244.0.0/16",), inverted=True), Option("-d", ("10.96.1.1/32",)), Option("-p", ("tcp",))),
        ),
        Clause("comment", (Option("--comment", ("ns1/lb:http cluster IP",)),)),
        Clause("tcp", (Option("--dport", ("80",)),)),
    )
    assert parsed.target == Clause("KUBE-MARK-MASQ", ())
    assert parsed.comment == "ns1/lb:http cluster IP"
    assert not parsed.goto


def test_options_of_a_target_are_its_own() -> None:
    parsed = parse_rule("-A X -p tcp -j DNAT --to-destination [fd00::5]:80 --random")
    assert parsed.target == Clause("DNAT", (Option("--to-destination", ("[fd00::5]:80",)), Option("--random", ())))


def test_a_goto() -> None:
    parsed = parse_rule("-A X -g Y")
    assert (parsed.target, parsed.goto) == (Clause("Y", ()), True)


def test_a_rule_that_only_counts() -> None:
    assert parse_rule("-A X -s 10.0.0.1/32").target is None


@pytest.mark.parametrize(
    ("printed", "comment"),
    [
        ('"a \\"quoted\\" word"', 'a "quoted" word'),
        ('"it\\\'s -j DROP"', "it's -j DROP"),
        ('"back\\\\slash"', "back\\slash"),
        ("-j", "-j"),
        ("plain_word-1", "plain_word-1"),
        ('"!"', "!"),
    ],
)
def test_comments_may_hold_anything(printed: str, comment: str) -> None:
    parsed = parse_rule(f"-A X -m comment --comment {printed} -j ACCEPT")
    assert parsed.comment == comment
    assert parsed.target == Clause("ACCEPT", ())


def test_inversion_belongs_to_the_next_option_only() -> None:
    (clause,) = parse_rule("-A X -m conntrack ! --ctstate NEW --ctdir ORIGINAL").matches
    assert [(option.name, option.inverted) for option in clause.options] == [("--ctstate", True), ("--ctdir", False)]


def test_options_with_two_values_and_with_none() -> None:
    tcp, recent = parse_rule("-A X -m tcp --tcp-flags FIN,SYN SYN -m recent --rcheck --reap --name a").matches
    assert tcp.options == (Option("--tcp-flags", ("FIN,SYN", "SYN")),)
    assert [option.name for option in recent.options] == ["--rcheck", "--reap", "--name"]


def test_what_people_write_is_understood_too() -> None:
    written = parse_rule("-A X --source 10.0.0.1 --protocol tcp --dport 80 --jump ACCEPT")
    printed = parse_rule("-A X -s 10.0.0.1 -p tcp -m tcp --dport 80 -j ACCEPT")
    assert written == printed


@pytest.mark.parametrize(
    "line", ["-A X", "-A X -m", "-A X -j", "-A X !", "-A", "", "-A X --dport 80", '-A X "', "-A X -p"]
)
def test_nonsense_does_no_harm(line: str) -> None:
    parse_rule(line)


def test_the_text_of_a_clause_is_what_one_would_write() -> None:
    (clause,) = parse_rule("-A X -m geoip ! --source-country CN").matches
    assert clause.text == "geoip ! --source-country CN"
