-- All documents as fragments of JSON text (CONTRACT sections 3 and 4): each row is made text once, by concat, and a
-- parent's fragments are listed and joined in their order. Nothing is nested.
--
-- Before and after this there is what duckdb_night.sql says.

CREATE MACRO quoted(t) AS to_json(t)::VARCHAR;
CREATE MACRO midnight(d) AS '"' || d::VARCHAR || 'T00:00:00.000Z"';

-- A field that is left out when its value is null: concat takes a null for nothing.
CREATE MACRO braces(fields) AS concat('{', fields[2:], '}');
CREATE MACRO konto(bank, eier, nummer, iban_, bic) AS braces(concat(
    ',"bankinformasjon":' || quoted(bank), ',"kontoeiersNavn":' || quoted(eier), ',"kontonummer":' || quoted(nummer),
    ',"iban":' || quoted(iban_), ',"swiftBIC":' || quoted(bic)));
CREATE MACRO with_kid(kid, account) AS concat('{', '"kidnummer":' || quoted(kid) || ',', '"konto":', account, '}');
CREATE MACRO masked(nummer) AS repeat('*', greatest(length(nummer) - 5, 0)) || right(nummer, 5);
CREATE MACRO periode(fra, til) AS braces(concat(',"start":' || midnight(fra), ',"slutt":' || midnight(til)));

-- The fragments of a group by date and identifier, commas between them. (With string_agg or list and their ORDER BY
-- the whole takes 40 and 25 % more processor time, with a list of sorted structs 15.)
CREATE MACRO liste(fragment, dato, id) AS
    array_to_string(list_select(list(fragment), list_grade_up(list((dato, id)))), ',');

-- Whose posts each document holds: the part's own, and an ENK's owner's.
CREATE TEMP TABLE shown AS
SELECT part AS forespurt, part FROM part
UNION ALL
SELECT part, innehaver FROM part WHERE innehaver IS NOT NULL;

CREATE TEMP TABLE krav_tekst AS
SELECT kravidentifikator, part, opprettelsesdato, opprinnelig_beloep, kravperiode,
       quoted(krav.kravtype) AS kravtype, periode(periode_start, periode_slutt) AS periode,
       quoted(coalesce(kravbeskrivelse, tekst, krav.kravtype)) AS beskrivelse,
       coalesce(krav.kravgruppe, kravtyper.kravgruppe, 'Andre krav') AS gruppe,
       coalesce(renteberegnes, true) AS renteberegnes
FROM krav LEFT JOIN kravtyper USING (kravtype);

CREATE TEMP TABLE innbetaling_tekst AS
SELECT innbetalingsidentifikator, part, innbetalingsdato, innbetalt_beloep,
       with_kid(fra_kidnummer, konto(fra_bankinformasjon, fra_kontoeiers_navn, masked(fra_kontonummer), NULL::VARCHAR,
                                     fra_swift_bic)) AS fra,
       konto(til_bankinformasjon, til_kontoeiers_navn, til_kontonummer, til_iban, til_swift_bic) AS til
FROM innbetaling;

-- Σ of the daily rates, in hundredths of a percent, from the day after the due date through the snapshot date.
CREATE TEMP TABLE vekt AS
WITH periods AS (
  SELECT fra_dato, lead(fra_dato, 1, getvariable('snapshot_date') + 1) OVER (ORDER BY fra_dato) AS til_dato,
         (sats * 100)::INTEGER AS sats FROM rates)
SELECT forfallsdato,
       sum(greatest(0, least(til_dato, getvariable('snapshot_date') + 1) - greatest(fra_dato, forfallsdato + 1))
           * sats) AS vekt
FROM (SELECT DISTINCT forfallsdato FROM kravforfall), periods GROUP BY forfallsdato;

-- What is placed on each due date: negative on debits, positive on credits.
CREATE TEMP TABLE placed AS
WITH ends AS (
  SELECT kravforfallsidentifikator,
         CASE plasseringstype WHEN 'UTBETALING' THEN plassert_beloep ELSE -plassert_beloep END AS beloep
  FROM plassering
  UNION ALL
  SELECT motpost, plassert_beloep FROM plassering WHERE plasseringstype = 'MOTKRAV')
SELECT kravforfallsidentifikator, sum(beloep) AS beloep FROM ends GROUP BY ALL;

CREATE TEMP TABLE innbetalinger AS
SELECT kravforfallsidentifikator,
       liste(concat('{"innbetalingsidentifikator":', quoted(motpost),
                    ',"innbetalingsdato":', midnight(innbetalingsdato),
                    ',"innbetaltBeloep":', -innbetalt_beloep, ',"betaltFra":', fra,
                    ',"plassertBeloep":', -plassert_beloep, ',"plasseringsdato":', midnight(plasseringsdato), '}'),
             plasseringsdato, plasseringsidentifikator) AS innbetalinger
FROM plassering JOIN innbetaling_tekst ON innbetalingsidentifikator = motpost
WHERE plasseringstype = 'INNBETALING' GROUP BY ALL;

CREATE TEMP TABLE motkrav AS
WITH ends AS (
  SELECT kravforfallsidentifikator AS post, motpost AS annen, -plassert_beloep AS beloep,
         plasseringsdato, plasseringsidentifikator FROM plassering WHERE plasseringstype = 'MOTKRAV'
  UNION ALL
  SELECT motpost, kravforfallsidentifikator, plassert_beloep, plasseringsdato, plasseringsidentifikator
  FROM plassering WHERE plasseringstype = 'MOTKRAV')
SELECT post AS kravforfallsidentifikator,
       liste(concat('{"motkravBeskrivelse":', beskrivelse, ',"motkravForfallsIdentifikator":', quoted(annen),
                    ',"motkravForfallsdato":', midnight(forfallsdato), ',"plassertBeloep":', beloep,
                    ',"plasseringsdato":', midnight(plasseringsdato), '}'),
             plasseringsdato, plasseringsidentifikator) AS motkrav
FROM ends JOIN kravforfall ON kravforfallsidentifikator = annen JOIN krav_tekst USING (kravidentifikator)
GROUP BY post;

-- Claims' due dates, each with what covers it, and their sums.
CREATE TEMP TABLE forfall AS
WITH remaining AS (
  SELECT kravforfall.*, opprinnelig_beloep + coalesce(beloep, 0) AS igjen, innbetalinger, motkrav, vekt,
         forfallsdato < getvariable('snapshot_date') AS forfalt
  FROM kravforfall LEFT JOIN placed USING (kravforfallsidentifikator)
                   LEFT JOIN innbetalinger USING (kravforfallsidentifikator)
                   LEFT JOIN motkrav USING (kravforfallsidentifikator) JOIN vekt USING (forfallsdato)),
interest AS (
  SELECT *, CASE WHEN forfalt AND igjen > 0
                 THEN (igjen * 100)::HUGEINT * vekt::HUGEINT // 365000000 ELSE 0 END AS kroner
  FROM remaining)
SELECT kravidentifikator, sum(igjen)::DECIMAL(38, 2) AS gjenstaaende, bool_or(igjen <> 0) AS aapent,
       coalesce(sum(kroner) FILTER (kroner >= 50), 0)::DECIMAL(38, 2) AS renter,
       coalesce(sum(igjen) FILTER (forfalt), 0)::DECIMAL(38, 2) AS forfalte,
       coalesce(sum(igjen) FILTER (NOT forfalt), 0)::DECIMAL(38, 2) AS ikke_forfalte,
       liste(concat('{"kravforfallsIdentifikator":', quoted(kravforfallsidentifikator),
                    ',"forfallsdato":', midnight(forfallsdato), ',"opprinneligBeloep":', opprinnelig_beloep,
                    ',"plassertInnbetaling":[', innbetalinger, '],"plassertMotkrav":[', motkrav,
                    '],"gjenstaaendeBeloep":', igjen, ',"betalingsinformasjon":',
                    with_kid(kidnummer, konto(bankinformasjon, kontoeiers_navn, kontonummer, iban, swift_bic)),
                    ',"utsattIverksettelse":', utsatt_iverksettelse, '}'),
             forfallsdato, kravforfallsidentifikator) AS forfall
FROM interest GROUP BY kravidentifikator;
DROP TABLE innbetalinger;
DROP TABLE motkrav;

CREATE TEMP TABLE krav_post AS
WITH bearing AS (
  SELECT * EXCLUDE (renter), CASE WHEN renteberegnes THEN renter ELSE 0 END::DECIMAL(38, 2) AS renter
  FROM krav_tekst JOIN forfall USING (kravidentifikator))
SELECT part, opprettelsesdato AS dato, kravidentifikator AS id, aapent, gruppe, renter, forfalte, ikke_forfalte,
       gjenstaaende, kravtype, beskrivelse, periode, opprinnelig_beloep,
       concat('{"part":', quoted(part), ',"kravidentifikator":', quoted(kravidentifikator), ',"kravbeskrivelse":',
              beskrivelse, ',"opprettelsesdatoForKrav":', midnight(opprettelsesdato),
              ',"kravperiode":' || quoted(kravperiode), ',"kravforfall":[', forfall,
              '],"opprinneligBeloep":', opprinnelig_beloep, ',"gjenstaaendeBeloep":', gjenstaaende,
              ',"stipulerteRenter":', renter, ',"kravtype":', kravtype, ',"kravgruppe":', quoted(gruppe), '}') AS post
FROM bearing;
DROP TABLE forfall;

CREATE TEMP TABLE innbetaling_post AS
WITH placements AS (
  SELECT motpost AS innbetalingsidentifikator, sum(plassert_beloep) AS plassert,
         liste(concat('{"dekketKrav":', beskrivelse, ',"kravperiode":', periode, ',"kravforfallIdentifikator":',
                      quoted(kravforfallsidentifikator), ',"plassertBeloep":', plassert_beloep,
                      ',"plasseringsdato":', midnight(plasseringsdato), '}'),
               plasseringsdato, plasseringsidentifikator) AS krav
  FROM plassering JOIN kravforfall USING (kravforfallsidentifikator) JOIN krav_tekst USING (kravidentifikator)
  WHERE plasseringstype = 'INNBETALING' GROUP BY motpost),
unplaced AS (
  SELECT *, (coalesce(plassert, 0) - innbetalt_beloep)::DECIMAL(38, 2) AS uplassert
  FROM innbetaling_tekst LEFT JOIN placements USING (innbetalingsidentifikator))
SELECT part, innbetalingsdato AS dato, innbetalingsidentifikator AS id, uplassert,
       concat('{"part":', quoted(part), ',"innbetalingsdato":', midnight(innbetalingsdato),
              ',"innbetaltBeloep":', -innbetalt_beloep, ',"uplassertBeloep":', uplassert,
              ',"plassertInnbetalingMotKrav":[', krav, '],"betaltFra":', fra, ',"betaltTilKonto":', til,
              ',"innbetalingsIdentifikator":', quoted(innbetalingsidentifikator), '}') AS post
FROM unplaced;
DROP TABLE innbetaling_tekst;

CREATE TEMP TABLE utbetaling_post AS
WITH paid AS (
  SELECT DISTINCT motpost AS utbetalingsidentifikator, kravidentifikator AS id
  FROM plassering JOIN kravforfall USING (kravforfallsidentifikator) WHERE plasseringstype = 'UTBETALING'),
grunnlag AS (
  SELECT utbetalingsidentifikator,
         liste(concat('{"dekketKrav":', beskrivelse, ',"kravIdentifikator":', quoted(id), ',"kravtype":', kravtype,
                      ',"kravperiode":', periode, ',"opprinneligBeloep":', opprinnelig_beloep,
                      ',"gjenstaaendeBeloep":', gjenstaaende, '}'), id, id) AS grunnlag
  FROM paid JOIN krav_post USING (id) GROUP BY ALL)
SELECT part, utbetalingsdato AS dato, utbetalingsidentifikator AS id,
       concat('{"part":', quoted(part), ',"utbetalingsbeskrivelse":' || quoted(utbetalingsbeskrivelse),
              ',"utbetaltdato":', midnight(utbetalingsdato), ',"utbetaltBeloep":', utbetalt_beloep, ',"betaltTil":',
              with_kid(til_kidnummer, konto(til_bankinformasjon, til_kontoeiers_navn, til_kontonummer, til_iban,
                                            til_swift_bic)),
              ',"utbetalingIdentifikator":', quoted(utbetalingsidentifikator),
              ',"grunnlagForUtbetaling":[', grunnlag, ']}') AS post
FROM utbetaling LEFT JOIN grunnlag USING (utbetalingsidentifikator);

CREATE MACRO sums(renter, forfalte, ikke) AS
    concat('"stipulerteRenter":', renter, ',"forfalteKrav":', forfalte, ',"ikkeForfalteKrav":', ikke);
CREATE MACRO or_zero(beloep) AS coalesce(beloep, 0)::DECIMAL(38, 2);

CREATE TEMP VIEW dokument_oversikt AS
WITH groups AS (
  SELECT forespurt, gruppe, sum(renter) AS renter, sum(forfalte) AS forfalte, sum(ikke_forfalte) AS ikke_forfalte
  FROM shown JOIN krav_post USING (part) WHERE aapent GROUP BY ALL),
totals AS (
  SELECT forespurt, sum(renter) AS renter, sum(forfalte) AS forfalte, sum(ikke_forfalte) AS ikke_forfalte,
         liste(concat('{"kravgruppe":', quoted(gruppe), ',', sums(renter, forfalte, ikke_forfalte),
                      ',"saldo":', renter + forfalte + ikke_forfalte, '}'), gruppe, gruppe) AS grupper
  FROM groups GROUP BY forespurt),
open_krav AS (
  SELECT forespurt, liste(post, dato, id) AS krav FROM shown JOIN krav_post USING (part)
  WHERE aapent GROUP BY forespurt),
unplaced AS (
  SELECT forespurt, sum(uplassert) AS uplassert, liste(post, dato, id) AS innbetalinger
  FROM shown JOIN innbetaling_post USING (part) WHERE uplassert <> 0 GROUP BY forespurt),
amounts AS (
  SELECT part, krav, innbetalinger, grupper, or_zero(renter) AS renter, or_zero(forfalte) AS forfalte,
         or_zero(ikke_forfalte) AS ikke_forfalte, or_zero(uplassert) AS uplassert
  FROM part LEFT JOIN open_krav ON open_krav.forespurt = part LEFT JOIN unplaced ON unplaced.forespurt = part
            LEFT JOIN totals ON totals.forespurt = part)
SELECT part, concat('{"forespurtPart":', quoted(part), ',"aapentKravMedGjenstaaendeBeloep":[', krav,
                    '],"innbetalingMedUplassertBeloep":[', innbetalinger, '],"totalOversikt":{',
                    sums(renter, forfalte, ikke_forfalte), ',"uplasserteInnbetalinger":', uplassert,
                    ',"saldo":', renter + forfalte + ikke_forfalte + uplassert,
                    '},"oversiktPerKravgruppe":[', grupper, ']}') AS document
FROM amounts;

CREATE TEMP VIEW dokument_krav AS
WITH posts AS (
  SELECT forespurt, liste(post, dato, id) AS liste FROM shown JOIN krav_post USING (part) GROUP BY forespurt)
SELECT part, concat('{"forespurtPart":', quoted(part), ',"krav":[', liste, ']}') AS document
FROM part LEFT JOIN posts ON forespurt = part;

CREATE TEMP VIEW dokument_innbetalinger AS
WITH posts AS (
  SELECT forespurt, liste(post, dato, id) AS liste FROM shown JOIN innbetaling_post USING (part) GROUP BY forespurt)
SELECT part, concat('{"forespurtPart":', quoted(part), ',"innbetaling":[', liste, ']}') AS document
FROM part LEFT JOIN posts ON forespurt = part;

CREATE TEMP VIEW dokument_utbetalinger AS
WITH posts AS (
  SELECT forespurt, liste(post, dato, id) AS liste FROM shown JOIN utbetaling_post USING (part) GROUP BY forespurt)
SELECT part, concat('{"forespurtPart":', quoted(part), ',"utbetaling":[', liste, ']}') AS document
FROM part LEFT JOIN posts ON forespurt = part;
