//! What the steps of a history ask.

use tollgate::credit::{
    AccountId, AliasId, Amount, BucketId, ChargeId, Class, KeyId, Kind, Name, Paid, Partition,
};
use tollgate::ledger::*;
use tollgate::meter::{Place, gates};
use tollgate::seam::{Clock, SeededEntropy, Timestamp};

use super::dice::Dice;
use super::history::{History, Step, ask};
use super::plans::{PLANS, plan};
use crate::ledger_world::{DAY, HOUR, MINUTE, NOON, wait};

const ROUTES: [(&str, Option<&str>); 3] =
    [("image", Some("audio")), ("video", None), ("image", None)];
const ZONES: [&str; 6] =
    ["UTC", "America/Sao_Paulo", "Europe/Paris", "Pacific/Auckland", "America/Havana", "Nowhere"];

impl Step {
    const fn dice(self) -> Dice {
        Dice::new(self.seed)
    }

    /// Whether it reserves a charge of its own, whatever else has happened.
    pub(crate) fn reserves(self) -> bool {
        self.dice().below(100) < 25
    }
}

impl History {
    pub(super) fn take(&mut self, step: Step) -> Result<(), String> {
        let dice = step.dice();
        match dice.below(100) {
            0..=24 => self.reserving(step, &dice),
            25..=33 => self.settling(step, &dice),
            34..=35 => self.jobs(step, &dice),
            36..=41 => self.releasing(step, &dice),
            42..=44 => self.doubting(step, &dice),
            45..=46 => self.extending(step, &dice),
            47..=50 => self.ticking(&dice),
            51..=58 => self.granting(step, &dice),
            59..=65 => self.refunding(step, &dice),
            66..=71 => self.adjusting(step, &dice),
            72..=75 => self.withdrawing(step, &dice),
            76..=79 => self.freezing(step, &dice),
            80..=81 => self.claiming(&dice),
            82..=87 => self.directory(&dice),
            88..=90 => self.reading(step, &dice),
            91..=98 => {
                self.time_passes(&dice);
                Ok(())
            }
            _ if dice.one_in(2) => self.crowding(step, &dice),
            _ => {
                self.restart();
                Ok(())
            }
        }
    }

    /// So many free requests at once that their leases' end is too much to be done beside another verb.
    fn crowding(&mut self, step: Step, dice: &Dice) -> Result<(), String> {
        let account = self.account(dice);
        let entropy = SeededEntropy::new(step.seed);
        for _ in 0..20 {
            let charge = ChargeId::make(self.clock.now(), &account, &entropy).unwrap();
            let mut call = self.reserve(step, dice);
            (call.account, call.charge) = (account.clone(), charge);
            (call.amount, call.gates) = (Amount::ZERO, Gates::default());
            let _ = ask!(self, reserve(call));
        }
        Ok(())
    }

    fn account(&self, dice: &Dice) -> AccountId {
        dice.pick(&self.accounts).clone()
    }

    fn kind(dice: &Dice) -> Kind {
        if dice.one_in(7) { "scans" } else { "credits" }.parse().unwrap()
    }

    /// A key, as a rule one of the account's.
    fn key(&self, account: &AccountId, dice: &Dice) -> KeyId {
        if dice.one_in(25) {
            return *dice.pick(&self.keys);
        }
        let own = usize::from(self.accounts[1] == *account);
        self.keys[own + if dice.one_in(2) { 0 } else { 2 }]
    }

    /// Limits and allowances as a gateway sends them, now and then cut short or of another day.
    fn gates(&self, account: &AccountId, key: Option<KeyId>, dice: &Dice) -> Gates {
        let Answer::Applied(document) = wait(self.model.document(account.clone())) else {
            return Gates::default();
        };
        let member = key.and_then(|key| document.key(key)).and_then(|key| key.member.clone());
        let names: Vec<(Name, Option<Name>)> = ROUTES
            .iter()
            .map(|(route, feature)| {
                (route.parse().unwrap(), feature.map(|name| name.parse().unwrap()))
            })
            .collect();
        let all: Vec<_> = names.iter().map(|(route, feature)| (route, feature.as_ref())).collect();
        let routes = if key.is_some() { &all[..1] } else { &all[..] };
        let place = Place { key, member: member.as_deref(), routes };
        let zone = document.zone.parse().unwrap();
        let plan = plan(if dice.one_in(12) { PLANS[0] } else { document.plan.as_str() });
        let mut now = self.clock.now();
        if dice.one_in(30) {
            now = now.plus_ms(dice.below(40 * DAY));
        }
        let mut gates = gates(&plan, &document, &zone, now, &place).unwrap();
        if dice.one_in(4) {
            gates.allowances.retain(|_| dice.one_in(2));
            gates.caps.retain(|_| dice.one_in(2));
        }
        if dice.one_in(6) {
            for cap in &mut gates.caps {
                cap.limit = dice.below(cap.limit.max(1));
                cap.refundable = dice.one_in(2);
            }
        }
        for slot in gates.slots.iter_mut().filter(|_| dice.one_in(8)) {
            slot.limit = u32::try_from(dice.below(3)).unwrap();
        }
        gates
    }

    fn reserve(&mut self, step: Step, dice: &Dice) -> Reserve {
        let again = dice.one_in(8);
        let (account, charge) = if again { self.earlier(step, dice) } else { self.charge_of(step) };
        let key = self.key(&account, dice);
        let document = wait(self.model.document(account.clone()));
        let (version, member) = match &document {
            Answer::Applied(document) => {
                let member = document.key(key).and_then(|key| key.member.clone());
                (document.version, member)
            }
            _ => (0, None),
        };
        let (route, feature) = *dice.pick(&ROUTES);
        Reserve {
            gates: self.gates(&account, Some(key), dice),
            account,
            charge,
            fingerprint: [u8::from(dice.one_in(15)); 32],
            key,
            document_version: if dice.one_in(20) { version.wrapping_sub(1) } else { version },
            revision: "r1".into(),
            kind: Self::kind(dice),
            amount: dice.amount(),
            route: route.into(),
            feature: feature.map(str::to_owned),
            member,
            instance: (*dice.pick(&["i1", "i2"])).into(),
            timeout_ms: dice.below(2 * MINUTE),
            reconcile_ms: dice.below(2 * HOUR),
            on_unknown: *dice.pick(&[OnUnknown::Release, OnUnknown::Charge, OnUnknown::Hold]),
            over_run: *dice.pick(&[OverRun::Debt, OverRun::Debt, OverRun::Absorb]),
            max_debt: dice.one_in(3).then(|| dice.amount()),
            note: vec![b'n'; usize::try_from(dice.below(40)).unwrap()],
        }
    }

    fn reserving(&mut self, step: Step, dice: &Dice) -> Result<(), String> {
        let call = self.reserve(step, dice);
        let quoted = if dice.one_in(5) { Some(ask!(self, quote(call))) } else { None };
        let reserved = ask!(self, reserve(call));
        if let Some(quoted) = quoted
            && quoted.clone().map(|quoted| quoted.reserved) != reserved
        {
            return Err(format!("{quoted:?} was quoted, {reserved:?} was reserved"));
        }
        if let Answer::Applied(reserved) = &reserved {
            let class = |leg: &&tollgate::credit::Leg| leg.bucket.as_str().starts_with("spare@");
            self.count("exhausted", reserved.legs.iter().any(|leg| class(&leg)));
            self.count(
                "carried over",
                reserved.legs.iter().any(|leg| leg.bucket.as_str().ends_with("@rollover")),
            );
            self.count("many legs", reserved.legs.len() > 2);
        }
        Ok(())
    }

    fn settling(&mut self, step: Step, dice: &Dice) -> Result<(), String> {
        let (account, charge) = self.earlier(step, dice);
        let said = self.settles.get(&charge).filter(|_| dice.one_in(2)).map(|(_, said)| *said);
        let actual = said.unwrap_or_else(|| dice.amount());
        let call = Settle { account, charge, actual, explanation: b"said".to_vec() };
        if let Answer::Applied(settled) = ask!(self, settle(call)) {
            self.settles.insert(charge, (call.account, actual));
            self.count("late", settled.late);
            self.count("debt", !settled.debt.is_zero());
            self.count("absorbed", !settled.absorbed.is_zero());
            self.count("returned", !settled.returned.is_zero());
        }
        Ok(())
    }

    fn releasing(&mut self, step: Step, dice: &Dice) -> Result<(), String> {
        let (account, charge) = self.earlier(step, dice);
        let call = Release { account, charge, explanation: Vec::new() };
        let _ = ask!(self, release(call));
        Ok(())
    }

    fn doubting(&mut self, step: Step, dice: &Dice) -> Result<(), String> {
        let (account, charge) = self.earlier(step, dice);
        let call = Doubt { account, charge, explanation: b"?".to_vec() };
        let _ = ask!(self, doubt(call));
        Ok(())
    }

    fn extending(&mut self, step: Step, dice: &Dice) -> Result<(), String> {
        let charges: Vec<_> = (0..3).map(|_| self.earlier(step, dice)).collect();
        let call = Extend { charges };
        let _ = ask!(self, extend(call));
        Ok(())
    }

    fn ticking(&mut self, dice: &Dice) -> Result<(), String> {
        if dice.one_in(6) {
            let limit = 5_usize;
            let _ = ask!(self, due(limit));
        }
        let account = self.account(dice);
        let _ = ask!(self, tick(account));
        Ok(())
    }

    fn granting(&mut self, step: Step, dice: &Dice) -> Result<(), String> {
        let id: BucketId = format!("g{}", step.at as u64 / 12 + dice.below(8)).parse().unwrap();
        let known = self.grants.get(&id).filter(|_| !dice.one_in(3)).cloned();
        let call = known.unwrap_or_else(|| self.grant(id.clone(), dice));
        let answer = ask!(self, grant(call));
        if let Answer::Applied(granted) = answer {
            self.count("repaid", !granted.repaid.is_zero());
            self.count("with a bonus", granted.bonus.is_some());
            self.count("granted again", self.grants.contains_key(&id));
            self.grants.insert(id, call);
        }
        Ok(())
    }

    fn grant(&self, id: BucketId, dice: &Dice) -> Grant {
        let now = self.clock.now();
        let end = |dice: &Dice| dice.one_in(2).then(|| now.plus_ms(dice.below(3 * DAY)));
        let class = *dice.pick(&[
            Class::Purchased,
            Class::Purchased,
            Class::Purchased,
            Class::Bonus,
            Class::Goodwill,
            Class::Free,
        ]);
        let bought = class == Class::Purchased;
        let paid = Paid {
            amount: Amount::from_micro(dice.below(90_000_000)).unwrap(),
            currency: "USD".into(),
        };
        let bonus = Bonus { amount: dice.amount(), expires: end(dice) };
        Grant {
            account: self.account(dice),
            id,
            kind: Self::kind(dice),
            class,
            amount: dice.amount(),
            priority: u8::try_from(dice.below(2)).unwrap(),
            effective: dice.one_in(4).then(|| now.plus_ms(dice.below(DAY))),
            expires: end(dice),
            reason: "property".into(),
            only: if dice.one_in(6) { vec!["video".parse().unwrap()] } else { Vec::new() },
            paid: (bought && dice.one_in(2)).then_some(paid),
            bonus: (bought && dice.one_in(3)).then_some(bonus),
        }
    }

    fn refunding(&mut self, step: Step, dice: &Dice) -> Result<(), String> {
        let (mut account, mut charge) = self.earlier(step, dice);
        // Mostly one that was settled lately.
        let settled: Vec<_> = self.settles.iter().rev().take(6).collect();
        if !settled.is_empty() && !dice.one_in(3) {
            let (id, (owner, _)) = dice.pick(&settled);
            (account, charge) = (owner.clone(), **id);
        }
        let id = format!("r{}", dice.below(4)).parse().unwrap();
        let amount = if dice.one_in(3) { Amount::MICRO } else { dice.below(4 * Amount::MICRO) };
        let amount = Amount::from_micro(amount).unwrap();
        let call = Refund { account, charge, id, amount, reason: "why".into() };
        let _ = ask!(self, refund(call));
        Ok(())
    }

    fn adjusting(&mut self, step: Step, dice: &Dice) -> Result<(), String> {
        let (account, charge) = self.earlier(step, dice);
        let id = format!("a{}", dice.below(6)).parse().unwrap();
        let call = Adjust { account, charge, id, held: dice.amount() };
        if let Answer::Applied(adjusted) = ask!(self, adjust(call)) {
            self.count("short", !adjusted.short.is_zero());
        }
        Ok(())
    }

    /// A bucket of the account, or sometimes one that may not be there.
    fn bucket(&self, account: &AccountId, step: Step, dice: &Dice) -> BucketId {
        let other = || format!("g{}", step.at as u64 / 12 + dice.below(8)).parse().unwrap();
        match wait(self.model.view(account.clone(), Gates::default())) {
            Answer::Applied(view) if !view.buckets.is_empty() && !dice.one_in(8) => {
                // Mostly one of those that are of use.
                let some = view.buckets.len().min(if dice.one_in(3) { usize::MAX } else { 6 });
                dice.pick(&view.buckets[..some]).id.clone()
            }
            _ => other(),
        }
    }

    fn withdrawing(&mut self, step: Step, dice: &Dice) -> Result<(), String> {
        let account = self.account(dice);
        let bucket = self.bucket(&account, step, dice);
        let how = *dice.pick(&[
            Withdrawal::Void,
            Withdrawal::Refund,
            Withdrawal::Refund,
            Withdrawal::Reversal,
            Withdrawal::Reversal,
            Withdrawal::Expire,
        ]);
        let call = Withdraw { account, bucket, how, reason: "why".into() };
        if let Answer::Applied(withdrawn) = ask!(self, withdraw(call)) {
            self.count(&format!("withdrawn {how:?}"), true);
            self.count("owed", !withdrawn.owed.is_zero());
            self.count("money back", withdrawn.money.is_some_and(|paid| !paid.amount.is_zero()));
            if how == Withdrawal::Reversal {
                self.reversed.insert((call.account, call.bucket));
            }
        }
        Ok(())
    }

    fn freezing(&mut self, step: Step, dice: &Dice) -> Result<(), String> {
        let account = self.account(dice);
        let bucket = self.bucket(&account, step, dice);
        let end = self.clock.now().plus_ms(dice.below(2 * DAY));
        let expires = match dice.below(6) {
            0 => Some(None),
            1 => Some(Some(end)),
            _ => None,
        };
        let (frozen, reason) = (dice.one_in(2), String::new());
        let call = Freeze { account, bucket, frozen, expires, reason };
        if let Answer::Applied(bucket) = ask!(self, freeze(call)) {
            let frozen = bucket.standing == tollgate::credit::Standing::Frozen;
            self.count("frozen", frozen);
        }
        Ok(())
    }

    fn claiming(&mut self, dice: &Dice) -> Result<(), String> {
        let names = ["acct_ana", "acct_bob", "acct_cy", "acct_dan"];
        let call = FreeClaim {
            person: (*dice.pick(&["p1", "p2"])).into(),
            account: dice.pick(&names).parse().unwrap(),
            limit: u32::try_from(1 + dice.below(2)).unwrap(),
        };
        if let Answer::Applied(has) = ask!(self, claim_free(call)) {
            self.count("claimed", has);
            self.count("not claimed", !has);
        }
        Ok(())
    }

    fn directory(&mut self, dice: &Dice) -> Result<(), String> {
        let account = self.account(dice);
        match dice.below(9) {
            0..=4 => {
                let call = self.change(account, dice);
                let _ = ask!(self, change_account(call));
            }
            5 | 6 => self.key_changes(dice)?,
            7 => {
                let id = AliasId::of("key", &[u8::try_from(dice.below(3)).unwrap()]);
                let call = Alias { id, account, key: dice.one_in(2).then(|| self.keys[0]) };
                if dice.one_in(3) {
                    let _ = ask!(self, create_alias(call));
                } else {
                    let _ = ask!(self, remove_alias(call));
                }
                let _ = ask!(self, alias(id));
            }
            _ => {
                let _ = ask!(self, document(account));
                let key = *dice.pick(&self.keys);
                let _ = ask!(self, document_of_key(key));
                // Those that go through all partitions cost as much as a hundred others.
                if dice.one_in(4) {
                    let (none, limit) = (None::<AccountId>, 9_usize);
                    let _ = ask!(self, accounts(none, limit));
                }
            }
        }
        Ok(())
    }

    fn change(&self, account: AccountId, dice: &Dice) -> AccountChange {
        let now = self.clock.now();
        let mut call = AccountChange::of(account);
        match dice.below(8) {
            0 | 1 => call.plan = Some((*dice.pick(&PLANS)).to_owned()),
            2 => call.zone = Some((*dice.pick(&ZONES)).to_owned()),
            3 => call.anchor = Some(Timestamp(NOON.0 - dice.below(90 * DAY))),
            4 => {
                let active = AccountStatus::Active;
                call.status = Some(*dice.pick(&[active, active, AccountStatus::Suspended]));
                call.reason = Some("why".into());
            }
            5 => {
                let until = dice.one_in(2).then(|| now.plus_ms(dice.below(HOUR)));
                call.restricted_until = Some(until);
                // Whoever was suspended is let go again.
                call.status = Some(AccountStatus::Active);
            }
            6 => {
                call.person = Some(dice.one_in(2).then(|| (*dice.pick(&["p1", "p2"])).into()));
                call.free = Some(*dice.pick(&[FreeCredits::Granted, FreeCredits::Refused]));
            }
            _ => call.overrides = Some(self.overrides(dice)),
        }
        call
    }

    fn overrides(&self, dice: &Dice) -> OverrideChange {
        let now = self.clock.now();
        let id = format!("ov{}", dice.below(9));
        if dice.one_in(4) {
            return OverrideChange::End(id);
        }
        let change = match dice.below(4) {
            0 => Adjustment::Add(dice.below(40 * Amount::MICRO)),
            1 => Adjustment::Cut(dice.below(40 * Amount::MICRO)),
            2 => Adjustment::Set(dice.below(100 * Amount::MICRO)),
            _ => Adjustment::Multiply(dice.below(3_000)),
        };
        let slots = dice.one_in(3);
        OverrideChange::Put(Override {
            id,
            limited: if slots { Limited::Concurrency } else { Limited::Cap },
            name: (*dice.pick(if slots { &["slots", "each"] } else { &["daily", "monthly"] }))
                .into(),
            scope: dice.one_in(4).then_some(Scope::Account),
            adjustment: change,
            starts: Timestamp(now.0 - HOUR + dice.below(4 * HOUR)),
            ends: dice.one_in(2).then(|| now.plus_ms(dice.below(DAY))),
            author: "ana".into(),
            reason: String::new(),
        })
    }

    fn key_changes(&mut self, dice: &Dice) -> Result<(), String> {
        let place = usize::try_from(dice.below(4)).unwrap();
        match dice.below(4) {
            // Rarely for ever: a new key comes in its place.
            0 => {
                let call = KeyChange::revoke(self.keys[place]);
                let _ = ask!(self, change_key(call));
                let partition = Partition::of(&self.accounts[place % 2]);
                let entropy = SeededEntropy::new(dice.next());
                self.keys[place] = KeyId::make(self.clock.now(), partition, &entropy).unwrap();
                let call = self.new_key(place);
                let _ = ask!(self, create_key(call));
            }
            1 => {
                let member = Some(dice.one_in(2).then(|| (*dice.pick(&["ana", "eva"])).into()));
                let call = KeyChange { member, ..KeyChange::of(self.keys[place]) };
                let _ = ask!(self, change_key(call));
            }
            2 => {
                let status = Some(*dice.pick(&[KeyStatus::Active, KeyStatus::Disabled]));
                let call = KeyChange { status, ..KeyChange::of(self.keys[place]) };
                let _ = ask!(self, change_key(call));
                let status = Some(KeyStatus::Active);
                let call = KeyChange { status, ..KeyChange::of(self.keys[3 - place]) };
                let _ = ask!(self, change_key(call));
            }
            _ => {
                let call = self.new_key(place);
                let _ = ask!(self, create_key(call));
            }
        }
        Ok(())
    }

    /// A charge begins to wait for a job, or something is done with a job.
    fn jobs(&mut self, step: Step, dice: &Dice) -> Result<(), String> {
        let now = self.clock.now();
        let (account, charge) = self.earlier(step, dice);
        let job: JobName = (*dice.pick(&["video", "image"])).parse().unwrap();
        let upstream_id = format!("job/{}", dice.below(6));
        let (until, record) = (now.plus_ms(dice.below(3 * HOUR)), vec![b'r'; step.at % 9]);
        let watch_at = dice.one_in(2).then(|| now.plus_ms(dice.below(10 * MINUTE)));
        let name = upstream_id.clone();
        let explanation = vec![b'e'; step.at % 5];
        let call =
            HandOver { account, charge, job, upstream_id, until, watch_at, record, explanation };
        if !dice.one_in(3)
            && let Answer::Applied(handed) = ask!(self, hand_over(call))
        {
            self.count("waits for a job", handed.state == ChargeState::Held);
        }
        let (account, job) = (call.account, call.job);
        let known = ask!(self, job(account, job, name));
        let version = if let Answer::Applied(known) = known { known.version } else { 1 };
        let watch = *dice.pick(&[
            Watching::AsBefore,
            Watching::From(now.plus_ms(dice.below(HOUR))),
            Watching::Stopped,
        ]);
        let call = NoteJob {
            account,
            job,
            upstream_id: name,
            version: version.saturating_sub(u64::from(dice.one_in(4))),
            record: vec![b'n'; usize::try_from(dice.below(3)).unwrap()],
            watch,
            ended: dice.one_in(4),
        };
        let _ = ask!(self, note_job(call));
        // It asks all partitions. A server that dies meanwhile has given some, and nobody knows which.
        if dice.one_in(3) && !self.is_mortal() {
            let (limit, lease_ms) = (2_usize, dice.below(HOUR));
            if let Answer::Applied(given) = ask!(self, watch_jobs(limit, lease_ms)) {
                self.count("watched", !given.is_empty());
            }
        }
        Ok(())
    }

    fn reading(&mut self, step: Step, dice: &Dice) -> Result<(), String> {
        let (account, id) = self.earlier(step, dice);
        let gates = self.gates(&account, None, dice);
        let _ = ask!(self, view(account, gates));
        let _ = ask!(self, charge(id));
        let before: Option<ChargeId> = dice.one_in(2).then_some(id);
        let limit = 1 + usize::try_from(dice.below(9)).unwrap();
        let _ = ask!(self, charges(account, before, limit));
        if dice.one_in(4) {
            let instance = "i1".to_owned();
            let _ = ask!(self, open_of(instance));
        }
        Ok(())
    }

    fn time_passes(&mut self, dice: &Dice) {
        self.remember();
        let now = self.clock.now();
        let step = match dice.below(12) {
            0 if dice.one_in(3) => dice.below(35 * DAY),
            0 => dice.below(2 * DAY),
            1 | 2 => dice.below(HOUR),
            3..=5 => dice.below(2 * MINUTE),
            6 => {
                // Somebody sets the wall back; time stands still at the mark.
                self.clock.set_wall(Timestamp(now.0.saturating_sub(dice.below(4 * MINUTE))));
                self.count("clock set back", true);
                0
            }
            7 if dice.one_in(3) => {
                self.clock.set_wall(now.plus_ms(dice.below(6 * MINUTE)));
                0
            }
            _ => dice.below(3_000),
        };
        if let Some(story) = &mut self.story {
            story.push(format!("{step} ms pass; it was {now}"));
        }
        self.clock.advance(step);
    }
}
