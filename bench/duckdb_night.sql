-- All documents as nested structs and lists, made text by to_json at the end (CONTRACT sections 3 and 4).
--
-- Before this there are: a view per delivered table, `rates` (fra_dato, sats in percent), `kravtyper`, and the
-- variable snapshot_date. After it there is a table `dokument_<kind>` (part, document) per kind, as a view.
-- Amounts are DECIMAL, which to_json writes with its two decimals.

CREATE MACRO day(d) AS d::VARCHAR || 'T00:00:00.000Z';

-- to_json keeps nulls, json_strip_nulls reads amounts as doubles (61244.0). A quote within a text is escaped,
-- so what looks like a null field is one.
CREATE MACRO document(s) AS regexp_replace(to_json(s), '"[A-Za-z]+":null,|,?"[A-Za-z]+":null', '', 'g');

CREATE MACRO konto(bank, eier, nummer, iban_, bic) AS
    {'bankinformasjon': bank, 'kontoeiersNavn': eier, 'kontonummer': nummer, 'iban': iban_, 'swiftBIC': bic};

CREATE MACRO masked(nummer) AS repeat('*', greatest(length(nummer) - 5, 0)) || right(nummer, 5);

CREATE MACRO payer(kid, bank, eier, nummer, bic) AS
    {'kidnummer': kid, 'konto': konto(bank, eier, masked(nummer), NULL::VARCHAR, bic)};

-- Whose posts each document holds: the part's own, and an ENK's owner's.
CREATE TEMP TABLE shown AS
SELECT part AS forespurt, part FROM part
UNION ALL
SELECT part, innehaver FROM part WHERE innehaver IS NOT NULL;

CREATE TEMP VIEW krav_tekst AS
SELECT krav.* REPLACE (
         coalesce(krav.kravbeskrivelse, kravtyper.tekst, krav.kravtype) AS kravbeskrivelse,
         coalesce(krav.kravgruppe, kravtyper.kravgruppe, 'Andre krav') AS kravgruppe),
       coalesce(kravtyper.renteberegnes, true) AS renteberegnes
FROM krav LEFT JOIN kravtyper USING (kravtype);

-- Σ of the daily rates, in hundredths of a percent, from the day after the due date through the snapshot date.
CREATE TEMP TABLE vekt AS
WITH periods AS (
  SELECT fra_dato, lead(fra_dato, 1, getvariable('snapshot_date') + 1) OVER (ORDER BY fra_dato) AS til_dato,
         (sats * 100)::INTEGER AS sats FROM rates)
SELECT forfallsdato,
       sum(greatest(0, least(til_dato, getvariable('snapshot_date') + 1) - greatest(fra_dato, forfallsdato + 1))
           * sats) AS vekt
FROM (SELECT DISTINCT forfallsdato FROM kravforfall), periods GROUP BY forfallsdato;

-- Due dates with what remains of them: original + Σ placed, placed negative on debits, positive on credits.
CREATE TEMP TABLE forfall AS
WITH ends AS (
  SELECT kravforfallsidentifikator,
         CASE plasseringstype WHEN 'UTBETALING' THEN plassert_beloep ELSE -plassert_beloep END AS beloep
  FROM plassering
  UNION ALL
  SELECT motpost, plassert_beloep FROM plassering WHERE plasseringstype = 'MOTKRAV'),
placed AS (SELECT kravforfallsidentifikator, sum(beloep) AS beloep FROM ends GROUP BY ALL),
remaining AS (
  SELECT kravforfall.*, opprinnelig_beloep + coalesce(beloep, 0) AS gjenstaaende,
         forfallsdato < getvariable('snapshot_date') AS forfalt
  FROM kravforfall LEFT JOIN placed USING (kravforfallsidentifikator)),
interest AS (
  SELECT remaining.*, krav.renteberegnes,
         CASE WHEN forfalt AND gjenstaaende > 0 AND krav.renteberegnes
              THEN (gjenstaaende * 100)::HUGEINT * vekt::HUGEINT // 365000000 ELSE 0 END AS kroner
  FROM remaining JOIN krav_tekst AS krav USING (kravidentifikator) JOIN vekt USING (forfallsdato))
SELECT * EXCLUDE (kroner, renteberegnes), CASE WHEN kroner >= 50 THEN kroner ELSE 0 END::DECIMAL(38, 2) AS renter
FROM interest;

CREATE TEMP TABLE krav_sum AS
SELECT kravidentifikator, sum(gjenstaaende)::DECIMAL(38, 2) AS gjenstaaende, bool_or(gjenstaaende <> 0) AS aapent,
       sum(renter)::DECIMAL(38, 2) AS renter,
       coalesce(sum(gjenstaaende) FILTER (forfalt), 0)::DECIMAL(38, 2) AS forfalte,
       coalesce(sum(gjenstaaende) FILTER (NOT forfalt), 0)::DECIMAL(38, 2) AS ikke_forfalte
FROM forfall GROUP BY kravidentifikator;

-- Claims, each with its due dates, each with what covers it.
CREATE TEMP TABLE krav_struct AS
WITH innbetalinger AS (
  SELECT kravforfallsidentifikator, list({
           'innbetalingsidentifikator': motpost,
           'innbetalingsdato': day(innbetalingsdato),
           'innbetaltBeloep': -innbetalt_beloep,
           'betaltFra': payer(fra_kidnummer, fra_bankinformasjon, fra_kontoeiers_navn, fra_kontonummer, fra_swift_bic),
           'plassertBeloep': -plassert_beloep,
           'plasseringsdato': day(plasseringsdato)
         } ORDER BY plasseringsdato, plasseringsidentifikator) AS liste
  FROM plassering JOIN innbetaling ON innbetalingsidentifikator = motpost
  WHERE plasseringstype = 'INNBETALING' GROUP BY ALL),
motkrav_ends AS (
  SELECT kravforfallsidentifikator AS post, motpost AS annen, -plassert_beloep AS beloep,
         plasseringsdato, plasseringsidentifikator FROM plassering WHERE plasseringstype = 'MOTKRAV'
  UNION ALL
  SELECT motpost, kravforfallsidentifikator, plassert_beloep, plasseringsdato, plasseringsidentifikator
  FROM plassering WHERE plasseringstype = 'MOTKRAV'),
motkrav AS (
  SELECT post AS kravforfallsidentifikator, list({
           'motkravBeskrivelse': kravbeskrivelse,
           'motkravForfallsIdentifikator': annen,
           'motkravForfallsdato': day(forfallsdato),
           'plassertBeloep': beloep,
           'plasseringsdato': day(plasseringsdato)
         } ORDER BY plasseringsdato, plasseringsidentifikator) AS liste
  FROM motkrav_ends JOIN kravforfall ON kravforfallsidentifikator = annen JOIN krav_tekst USING (kravidentifikator)
  GROUP BY post),
dues AS (
  SELECT kravidentifikator, list({
           'kravforfallsIdentifikator': kravforfallsidentifikator,
           'forfallsdato': day(forfallsdato),
           'opprinneligBeloep': opprinnelig_beloep,
           'plassertInnbetaling': coalesce(innbetalinger.liste, []),
           'plassertMotkrav': coalesce(motkrav.liste, []),
           'gjenstaaendeBeloep': gjenstaaende,
           'betalingsinformasjon':
             {'kidnummer': kidnummer, 'konto': konto(bankinformasjon, kontoeiers_navn, kontonummer, iban, swift_bic)},
           'utsattIverksettelse': utsatt_iverksettelse
         } ORDER BY forfallsdato, kravforfallsidentifikator) AS liste
  FROM forfall LEFT JOIN innbetalinger USING (kravforfallsidentifikator)
               LEFT JOIN motkrav USING (kravforfallsidentifikator)
  GROUP BY kravidentifikator)
SELECT part, opprettelsesdato AS dato, kravidentifikator AS id, krav_sum.aapent, {
         'part': part,
         'kravidentifikator': kravidentifikator,
         'kravbeskrivelse': kravbeskrivelse,
         'opprettelsesdatoForKrav': day(opprettelsesdato),
         'kravperiode': kravperiode,
         'kravforfall': dues.liste,
         'opprinneligBeloep': opprinnelig_beloep,
         'gjenstaaendeBeloep': krav_sum.gjenstaaende,
         'stipulerteRenter': krav_sum.renter,
         'kravtype': kravtype,
         'kravgruppe': kravgruppe
       } AS post
FROM krav_tekst JOIN krav_sum USING (kravidentifikator) JOIN dues USING (kravidentifikator);

CREATE TEMP TABLE innbetaling_struct AS
WITH placements AS (
  SELECT motpost AS innbetalingsidentifikator, sum(plassert_beloep) AS plassert, list({
           'dekketKrav': kravbeskrivelse,
           'kravperiode': {'start': day(periode_start), 'slutt': day(periode_slutt)},
           'kravforfallIdentifikator': kravforfallsidentifikator,
           'plassertBeloep': plassert_beloep,
           'plasseringsdato': day(plasseringsdato)
         } ORDER BY plasseringsdato, plasseringsidentifikator) AS liste
  FROM plassering JOIN kravforfall USING (kravforfallsidentifikator) JOIN krav_tekst USING (kravidentifikator)
  WHERE plasseringstype = 'INNBETALING' GROUP BY motpost)
SELECT part, innbetalingsdato AS dato, innbetalingsidentifikator AS id,
       (innbetalt_beloep - coalesce(plassert, 0))::DECIMAL(38, 2) AS uplassert, {
         'part': part,
         'innbetalingsdato': day(innbetalingsdato),
         'innbetaltBeloep': -innbetalt_beloep,
         'uplassertBeloep': (coalesce(plassert, 0) - innbetalt_beloep)::DECIMAL(38, 2),
         'plassertInnbetalingMotKrav': coalesce(liste, []),
         'betaltFra': payer(fra_kidnummer, fra_bankinformasjon, fra_kontoeiers_navn, fra_kontonummer, fra_swift_bic),
         'betaltTilKonto': konto(til_bankinformasjon, til_kontoeiers_navn, til_kontonummer, til_iban, til_swift_bic),
         'innbetalingsIdentifikator': innbetalingsidentifikator
       } AS post
FROM innbetaling LEFT JOIN placements USING (innbetalingsidentifikator);

CREATE TEMP TABLE utbetaling_struct AS
WITH paid AS (
  SELECT DISTINCT motpost AS utbetalingsidentifikator, kravidentifikator
  FROM plassering JOIN kravforfall USING (kravforfallsidentifikator) WHERE plasseringstype = 'UTBETALING'),
grunnlag AS (
  SELECT utbetalingsidentifikator, list({
           'dekketKrav': kravbeskrivelse,
           'kravIdentifikator': kravidentifikator,
           'kravtype': kravtype,
           'kravperiode': {'start': day(periode_start), 'slutt': day(periode_slutt)},
           'opprinneligBeloep': opprinnelig_beloep,
           'gjenstaaendeBeloep': krav_sum.gjenstaaende
         } ORDER BY kravidentifikator) AS liste
  FROM paid JOIN krav_tekst USING (kravidentifikator) JOIN krav_sum USING (kravidentifikator) GROUP BY ALL)
SELECT part, utbetalingsdato AS dato, utbetalingsidentifikator AS id, {
         'part': part,
         'utbetalingsbeskrivelse': utbetalingsbeskrivelse,
         'utbetaltdato': day(utbetalingsdato),
         'utbetaltBeloep': utbetalt_beloep,
         'betaltTil': {'kidnummer': til_kidnummer,
           'konto': konto(til_bankinformasjon, til_kontoeiers_navn, til_kontonummer, til_iban, til_swift_bic)},
         'utbetalingIdentifikator': utbetalingsidentifikator,
         'grunnlagForUtbetaling': coalesce(liste, [])
       } AS post
FROM utbetaling LEFT JOIN grunnlag USING (utbetalingsidentifikator);

CREATE TEMP VIEW dokument_oversikt AS
WITH groups AS (
  SELECT forespurt, kravgruppe, sum(renter) AS renter, sum(forfalte) AS forfalte, sum(ikke_forfalte) AS ikke_forfalte,
         sum(renter + forfalte + ikke_forfalte) AS saldo
  FROM shown JOIN krav_tekst USING (part) JOIN krav_sum USING (kravidentifikator) WHERE aapent GROUP BY ALL),
totals AS (
  SELECT forespurt, sum(renter) AS renter, sum(forfalte) AS forfalte, sum(ikke_forfalte) AS ikke_forfalte, list({
           'kravgruppe': kravgruppe,
           'stipulerteRenter': renter,
           'forfalteKrav': forfalte,
           'ikkeForfalteKrav': ikke_forfalte,
           'saldo': saldo
         } ORDER BY kravgruppe) AS liste
  FROM groups GROUP BY forespurt),
open_krav AS (
  SELECT forespurt, list(post ORDER BY dato, id) AS liste FROM shown JOIN krav_struct USING (part)
  WHERE aapent GROUP BY forespurt),
unplaced AS (
  SELECT forespurt, -sum(uplassert) AS uplassert, list(post ORDER BY dato, id) AS liste
  FROM shown JOIN innbetaling_struct USING (part) WHERE uplassert <> 0 GROUP BY forespurt)
SELECT part, document({
         'forespurtPart': part,
         'aapentKravMedGjenstaaendeBeloep': coalesce(open_krav.liste, []),
         'innbetalingMedUplassertBeloep': coalesce(unplaced.liste, []),
         'totalOversikt': {
           'stipulerteRenter': coalesce(renter, 0),
           'forfalteKrav': coalesce(forfalte, 0),
           'ikkeForfalteKrav': coalesce(ikke_forfalte, 0),
           'uplasserteInnbetalinger': coalesce(uplassert, 0),
           'saldo': coalesce(renter + forfalte + ikke_forfalte, 0) + coalesce(uplassert, 0)},
         'oversiktPerKravgruppe': coalesce(totals.liste, [])
       }) AS document
FROM part LEFT JOIN open_krav ON open_krav.forespurt = part LEFT JOIN unplaced ON unplaced.forespurt = part
          LEFT JOIN totals ON totals.forespurt = part;

CREATE TEMP VIEW dokument_krav AS
WITH posts AS (
  SELECT forespurt, list(post ORDER BY dato, id) AS liste FROM shown JOIN krav_struct USING (part) GROUP BY forespurt)
SELECT part, document({'forespurtPart': part, 'krav': coalesce(liste, [])}) AS document
FROM part LEFT JOIN posts ON forespurt = part;

CREATE TEMP VIEW dokument_innbetalinger AS
WITH posts AS (
  SELECT forespurt, list(post ORDER BY dato, id) AS liste FROM shown JOIN innbetaling_struct USING (part)
  GROUP BY forespurt)
SELECT part, document({'forespurtPart': part, 'innbetaling': coalesce(liste, [])}) AS document
FROM part LEFT JOIN posts ON forespurt = part;

CREATE TEMP VIEW dokument_utbetalinger AS
WITH posts AS (
  SELECT forespurt, list(post ORDER BY dato, id) AS liste FROM shown JOIN utbetaling_struct USING (part)
  GROUP BY forespurt)
SELECT part, document({'forespurtPart': part, 'utbetaling': coalesce(liste, [])}) AS document
FROM part LEFT JOIN posts ON forespurt = part;
