//! A virtual card, the way to its flash, and what is burned onto it.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses a part of this"
)]

use std::sync::Arc;
use std::time::Duration;

use flexctl::access::{Gateway, LegacyGateway, Patience, Vsec};
use flexctl::command::Firmware;
use flexctl::flash::{
    self, BurnFailure, BurnGoal, Burned, Flash, FlashError, FlashPlan, FlashWay, FlashWish, Quiet,
    Region, burn, burn_at_once,
};
use flexctl::hwdb::{Device, Hwdb};
use flexctl::image::{EditPolicy, FlashSurvey, ReadyImage, RomEdit, rom_change};
use flexctl::sim::{Card, Shelf};

/// What is burned.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// The image that runs without its expansion ROM.
    Rom,
    /// The image that runs, all of it, into a slot of noise.
    Image,
}

/// A virtual card and the way to its flash.
pub struct Bench {
    pub card: Card,
    pub device: Device,
    pub way: FlashWay,
}

impl Bench {
    pub fn new(profile: &str, way: FlashWay) -> Self {
        let card = Shelf::memory().card(profile).unwrap();
        let hwdb = Hwdb::builtin().unwrap();
        let device = hwdb.device(card.infos()[0].device).unwrap().clone();
        Self { card, device, way }
    }

    /// Opens the flash anew, as the next process would.
    pub fn try_with_flash<T>(
        &self,
        work: impl FnOnce(&mut dyn Flash) -> T,
    ) -> Result<T, FlashError> {
        let function = self.card.function(self.card.infos()[0].address).unwrap();
        let patience = Patience::new(Duration::from_millis(15), Arc::default());
        let opened = if self.device.name.starts_with("connectx-3") {
            LegacyGateway::open(function, patience).map(|way| Box::new(way) as Box<dyn Gateway>)
        } else {
            Vsec::open(function, patience).map(|way| Box::new(way) as Box<dyn Gateway>)
        };
        let gateway = opened.map_err(|source| FlashError::Access {
            address: self.card.infos()[0].address,
            action: "opening the card".to_owned(),
            source,
        })?;
        let mut firmware = Firmware::new(&self.device, gateway);
        let wish = FlashWish {
            way: self.way,
            ..FlashWish::default()
        };
        let mut flash = flash::open(&self.device, &mut firmware, wish)?;
        Ok(work(flash.as_mut()))
    }

    pub fn with_flash<T>(&self, work: impl FnOnce(&mut dyn Flash) -> T) -> T {
        self.try_with_flash(work).unwrap()
    }

    pub fn goal(&self, change: Change) -> BurnGoal {
        let boot_address = self.with_flash(|flash| flash.boot_address().unwrap());
        let format = self.device.image_format;
        let survey = FlashSurvey::of_bytes(format, &self.card.flash(), boot_address);
        let active = survey.active().unwrap();
        let image = match change {
            Change::Rom => {
                rom_change(&survey, RomEdit::Remove, &EditPolicy::default())
                    .unwrap()
                    .image
            }
            Change::Image => ReadyImage {
                place: survey.target().unwrap(),
                bytes: active.whole().unwrap().bytes.clone(),
            },
        };
        let protected = survey.device_data().iter();
        BurnGoal {
            boot_address: Some(image.place.start),
            image,
            old: Some(active.place),
            boot_address_now: boot_address,
            protected: protected
                .map(|region| Region::new(region.range.clone(), region.name.as_str()))
                .collect(),
        }
    }

    /// Fills the slot of a goal with bytes that have nothing in common with its
    /// image: the costly case.
    pub fn fill_with_noise(&self, goal: &BurnGoal) {
        let mut noise = self.card.flash();
        let length = u32::try_from(goal.image.bytes.len()).unwrap();
        for (at, range) in goal.image.place.pieces(0..length) {
            let from = at as usize;
            noise[from..from + range.len()].fill(0x5a);
        }
        self.card.set_flash(&noise).unwrap();
    }

    pub fn plan(&self, goal: &BurnGoal) -> FlashPlan {
        self.with_flash(|flash| goal.plan(flash).unwrap())
    }

    pub fn burn(&self, plan: &FlashPlan) -> Result<Burned, BurnFailure> {
        self.with_flash(|flash| burn(flash, plan, &mut Quiet))
    }

    /// Plans and burns without letting the flash go in between, as where nobody is
    /// asked.
    #[allow(dead_code, reason = "not every test burns like this")]
    pub fn burn_at_once(&self, goal: &BurnGoal) -> Result<Burned, BurnFailure> {
        self.with_flash(|flash| {
            let plan = goal.plan(flash).unwrap();
            burn_at_once(flash, &plan, &mut Quiet)
        })
    }

    /// A burn in which the card may fail before its flash is open.
    pub fn try_burn(&self, plan: &FlashPlan) -> Result<Result<Burned, BurnFailure>, FlashError> {
        self.try_with_flash(|flash| burn(flash, plan, &mut Quiet))
    }

    pub fn boots(&self) -> bool {
        self.card.boot().image().is_some() && self.card.boot_warm().image().is_some()
    }

    pub fn power_again(&self) {
        self.card.set_faults(String::new().parse().unwrap());
        self.card.reboot();
    }
}
