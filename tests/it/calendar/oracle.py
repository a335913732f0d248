# Periods by Python's zoneinfo, an independent source. Reads lines of
# `every start zone anchor now` (the instants in milliseconds since 1970) and writes for each the period that
# contains `now` and the next: `id start end id start end`. All the arithmetic is on civil dates; nothing here was
# taken from the program that is tested.
import sys
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

UTC = timezone.utc
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(ms):
    return EPOCH + timedelta(milliseconds=ms)


def ms(moment):
    return (moment - EPOCH) // timedelta(milliseconds=1)


def last_day(year, month):
    return (date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day


def later(local, every, count):
    """`count` days, weeks or months later on the calendar; a day that a month lacks is its last."""
    if every != "month":
        return local + timedelta(days=count * (7 if every == "week" else 1))
    months = local.year * 12 + local.month - 1 + count
    year, month = divmod(months, 12)
    month += 1
    return local.replace(year=year, month=month, day=min(local.day, last_day(year, month)))


def shows(zone, local):
    """When clocks show it: the first time; where they skip it, as much later as they skip (RFC 5545)."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def midnight(zone, day):
    """The first moment of a day. Where clocks skip midnight: the first moment that they show after it."""
    wanted = shows(zone, day)
    if wanted.astimezone(zone).replace(tzinfo=None) == day:
        return wanted
    low, high = ms(wanted) // 1000 - 26 * 3600, ms(wanted) // 1000
    while low < high:
        middle = (low + high) // 2
        if instant(middle * 1000).astimezone(zone).replace(tzinfo=None) >= day:
            high = middle
        else:
            low = middle + 1
    return instant(low * 1000)


def first_day(local, every):
    day = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if every == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if every == "month" else day


def name(every, start, nominal):
    if start == "anchor":
        return nominal.strftime("%Y-%m-%dT%H:%M") + {"day": "/P1D", "week": "/P1W", "month": "/P1M"}[every]
    if every == "week":
        year, week, _ = nominal.isocalendar()
        return f"{year:04}-W{week:02}"
    return nominal.strftime("%Y-%m-%d" if every == "day" else "%Y-%m")


def periods(every, start, zone, anchor, now):
    zone, anchor, now = ZoneInfo(zone), instant(int(anchor)), instant(int(now))
    here = now.astimezone(zone).replace(tzinfo=None)
    if start == "anchor":
        origin = anchor.astimezone(zone).replace(tzinfo=None)
        begins = lambda k: shows(zone, later(origin, every, k))
    else:
        origin = first_day(here, every)
        begins = lambda k: midnight(zone, later(origin, every, k))
    days = (here - origin).days
    guess = days if every == "day" else days // 7 if every == "week" else (here.year - origin.year) * 12 + here.month - origin.month
    # The last occurrence that is not after now; looked for among all that could be it.
    k = max(k for k in range(guess - 3, guess + 4) if begins(k) <= now)
    bounds = [ms(begins(k + n)) for n in range(3)]
    names = [name(every, start, later(origin, every, k + n)) for n in range(2)]
    return f"{names[0]} {bounds[0]} {bounds[1]} {names[1]} {bounds[1]} {bounds[2]}"


if __name__ == "__main__":
    for line in sys.stdin:
        print(periods(*line.split()))
