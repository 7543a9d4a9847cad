-- Which packages a code was for when an order used it: a discount for every period is given on those alone.
ALTER TABLE promo_uses ADD COLUMN packages TEXT NOT NULL DEFAULT '';
UPDATE promo_uses SET packages = (SELECT packages FROM promo_codes WHERE id = promo_id);
