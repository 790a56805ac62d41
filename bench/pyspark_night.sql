-- All documents in Spark SQL (CONTRACT sections 3 and 4); each statement is a view. Before this there are the delivered
-- tables, `rates` (fra_dato, sats in percent) and `kravtyper`. Amounts are decimals, written with their two decimals.
-- A list is sort_array over structs that begin with the sorting keys, which transform then leaves behind.

CREATE VIEW shown AS
SELECT part AS forespurt, part FROM part
UNION ALL
SELECT part, innehaver FROM part WHERE innehaver IS NOT NULL;

CREATE VIEW krav_tekst AS
SELECT krav.kravidentifikator, krav.part, krav.kravtype, krav.opprettelsesdato, krav.kravperiode, krav.opprinnelig_beloep,
       coalesce(krav.kravbeskrivelse, kravtyper.tekst, krav.kravtype) AS kravbeskrivelse,
       coalesce(krav.kravgruppe, kravtyper.kravgruppe, 'Andre krav') AS kravgruppe,
       coalesce(kravtyper.renteberegnes, true) AS renteberegnes,
       named_struct('start', concat(krav.periode_start, 'T00:00:00.000Z'),
                    'slutt', concat(krav.periode_slutt, 'T00:00:00.000Z')) AS periode
FROM krav LEFT JOIN kravtyper ON kravtyper.kravtype = krav.kravtype;

CREATE VIEW vekt AS
WITH periods AS (
  SELECT fra_dato, lead(fra_dato, 1, date_add(:snapshot_date, 1)) OVER (ORDER BY fra_dato) AS til_dato,
         CAST(sats * 100 AS INT) AS sats FROM rates)
SELECT forfallsdato,
       sum(greatest(0, datediff(least(til_dato, date_add(:snapshot_date, 1)), greatest(fra_dato, date_add(forfallsdato, 1))))
           * sats) AS vekt
FROM (SELECT DISTINCT forfallsdato FROM kravforfall) CROSS JOIN periods GROUP BY forfallsdato;

CREATE VIEW forfall AS
WITH ends AS (
  SELECT kravforfallsidentifikator,
         CASE plasseringstype WHEN 'UTBETALING' THEN plassert_beloep ELSE -plassert_beloep END AS beloep
  FROM plassering
  UNION ALL
  SELECT motpost, plassert_beloep FROM plassering WHERE plasseringstype = 'MOTKRAV'),
placed AS (SELECT kravforfallsidentifikator, sum(beloep) AS beloep FROM ends GROUP BY kravforfallsidentifikator),
remaining AS (
  SELECT kravforfall.*, CAST(opprinnelig_beloep + coalesce(beloep, 0) AS DECIMAL(38, 2)) AS gjenstaaende,
         forfallsdato < :snapshot_date AS forfalt
  FROM kravforfall LEFT JOIN placed USING (kravforfallsidentifikator)),
interest AS (
  SELECT remaining.*,
         CASE WHEN forfalt AND gjenstaaende > 0 AND krav.renteberegnes
              THEN CAST(gjenstaaende * 100 AS DECIMAL(20, 0)) * CAST(vekt AS DECIMAL(12, 0)) div 365000000
              ELSE 0 END AS kroner
  FROM remaining JOIN krav_tekst AS krav USING (kravidentifikator) JOIN vekt USING (forfallsdato))
SELECT *, CAST(CASE WHEN kroner >= 50 THEN kroner ELSE 0 END AS DECIMAL(38, 2)) AS renter FROM interest;

CREATE VIEW krav_sum AS
SELECT kravidentifikator, CAST(sum(gjenstaaende) AS DECIMAL(38, 2)) AS gjenstaaende,
       bool_or(gjenstaaende <> 0) AS aapent, CAST(sum(renter) AS DECIMAL(38, 2)) AS renter,
       CAST(coalesce(sum(gjenstaaende) FILTER (WHERE forfalt), 0) AS DECIMAL(38, 2)) AS forfalte,
       CAST(coalesce(sum(gjenstaaende) FILTER (WHERE NOT forfalt), 0) AS DECIMAL(38, 2)) AS ikke_forfalte
FROM forfall GROUP BY kravidentifikator;

CREATE VIEW payers AS
SELECT innbetaling.*, named_struct(
         'kidnummer', fra_kidnummer,
         'konto', named_struct(
           'bankinformasjon', fra_bankinformasjon,
           'kontoeiersNavn', fra_kontoeiers_navn,
           'kontonummer', concat(repeat('*', greatest(length(fra_kontonummer) - 5, 0)), right(fra_kontonummer, 5)),
           'swiftBIC', fra_swift_bic)) AS betalt_fra
FROM innbetaling;

CREATE VIEW krav_struct AS
WITH innbetalinger AS (
  SELECT kravforfallsidentifikator, transform(sort_array(collect_list(struct(
           plasseringsdato, plasseringsidentifikator, named_struct(
             'innbetalingsidentifikator', motpost,
             'innbetalingsdato', concat(innbetalingsdato, 'T00:00:00.000Z'),
             'innbetaltBeloep', -innbetalt_beloep,
             'betaltFra', betalt_fra,
             'plassertBeloep', -plassert_beloep,
             'plasseringsdato', concat(plasseringsdato, 'T00:00:00.000Z')) AS post))), x -> x.post) AS innbetalinger
  FROM plassering JOIN payers ON innbetalingsidentifikator = motpost
  WHERE plasseringstype = 'INNBETALING' GROUP BY kravforfallsidentifikator),
motkrav_ends AS (
  SELECT kravforfallsidentifikator AS post, motpost AS annen, -plassert_beloep AS beloep,
         plasseringsdato, plasseringsidentifikator FROM plassering WHERE plasseringstype = 'MOTKRAV'
  UNION ALL
  SELECT motpost, kravforfallsidentifikator, plassert_beloep, plasseringsdato, plasseringsidentifikator
  FROM plassering WHERE plasseringstype = 'MOTKRAV'),
motkrav AS (
  SELECT post AS kravforfallsidentifikator, transform(sort_array(collect_list(struct(
           plasseringsdato, plasseringsidentifikator, named_struct(
             'motkravBeskrivelse', kravbeskrivelse,
             'motkravForfallsIdentifikator', annen,
             'motkravForfallsdato', concat(forfallsdato, 'T00:00:00.000Z'),
             'plassertBeloep', beloep,
             'plasseringsdato', concat(plasseringsdato, 'T00:00:00.000Z')) AS post))), x -> x.post) AS motkrav
  FROM motkrav_ends JOIN kravforfall ON kravforfallsidentifikator = annen JOIN krav_tekst USING (kravidentifikator)
  GROUP BY post),
dues AS (
  SELECT kravidentifikator, transform(sort_array(collect_list(struct(
           forfallsdato, kravforfallsidentifikator, named_struct(
             'kravforfallsIdentifikator', kravforfallsidentifikator,
             'forfallsdato', concat(forfallsdato, 'T00:00:00.000Z'),
             'opprinneligBeloep', opprinnelig_beloep,
             'plassertInnbetaling', coalesce(innbetalinger, array()),
             'plassertMotkrav', coalesce(motkrav, array()),
             'gjenstaaendeBeloep', gjenstaaende,
             'betalingsinformasjon', named_struct('kidnummer', kidnummer, 'konto', named_struct(
               'bankinformasjon', bankinformasjon, 'kontoeiersNavn', kontoeiers_navn, 'kontonummer', kontonummer,
               'iban', iban, 'swiftBIC', swift_bic)),
             'utsattIverksettelse', utsatt_iverksettelse) AS post))), x -> x.post) AS dues
  FROM forfall LEFT JOIN innbetalinger USING (kravforfallsidentifikator)
               LEFT JOIN motkrav USING (kravforfallsidentifikator)
  GROUP BY kravidentifikator)
SELECT part, opprettelsesdato AS dato, kravidentifikator AS id, aapent, named_struct(
         'part', part,
         'kravidentifikator', kravidentifikator,
         'kravbeskrivelse', kravbeskrivelse,
         'opprettelsesdatoForKrav', concat(opprettelsesdato, 'T00:00:00.000Z'),
         'kravperiode', kravperiode,
         'kravforfall', dues,
         'opprinneligBeloep', opprinnelig_beloep,
         'gjenstaaendeBeloep', gjenstaaende,
         'stipulerteRenter', renter,
         'kravtype', kravtype,
         'kravgruppe', kravgruppe) AS post
FROM krav_tekst JOIN krav_sum USING (kravidentifikator) JOIN dues USING (kravidentifikator);

CREATE VIEW innbetaling_struct AS
WITH placements AS (
  SELECT motpost AS innbetalingsidentifikator, sum(plassert_beloep) AS plassert,
         transform(sort_array(collect_list(struct(
           plasseringsdato, plasseringsidentifikator, named_struct(
             'dekketKrav', kravbeskrivelse,
             'kravperiode', periode,
             'kravforfallIdentifikator', kravforfallsidentifikator,
             'plassertBeloep', plassert_beloep,
             'plasseringsdato', concat(plasseringsdato, 'T00:00:00.000Z')) AS post))), x -> x.post) AS placements
  FROM plassering JOIN kravforfall USING (kravforfallsidentifikator) JOIN krav_tekst USING (kravidentifikator)
  WHERE plasseringstype = 'INNBETALING' GROUP BY motpost)
SELECT part, innbetalingsdato AS dato, innbetalingsidentifikator AS id,
       CAST(innbetalt_beloep - coalesce(plassert, 0) AS DECIMAL(38, 2)) AS uplassert, named_struct(
         'part', part,
         'innbetalingsdato', concat(innbetalingsdato, 'T00:00:00.000Z'),
         'innbetaltBeloep', -innbetalt_beloep,
         'uplassertBeloep', CAST(coalesce(plassert, 0) - innbetalt_beloep AS DECIMAL(38, 2)),
         'plassertInnbetalingMotKrav', coalesce(placements, array()),
         'betaltFra', betalt_fra,
         'betaltTilKonto', named_struct('bankinformasjon', til_bankinformasjon, 'kontoeiersNavn', til_kontoeiers_navn,
           'kontonummer', til_kontonummer, 'iban', til_iban, 'swiftBIC', til_swift_bic),
         'innbetalingsIdentifikator', innbetalingsidentifikator) AS post
FROM payers LEFT JOIN placements USING (innbetalingsidentifikator);

CREATE VIEW utbetaling_struct AS
WITH paid AS (
  SELECT DISTINCT motpost AS utbetalingsidentifikator, kravidentifikator
  FROM plassering JOIN kravforfall USING (kravforfallsidentifikator) WHERE plasseringstype = 'UTBETALING'),
grunnlag AS (
  SELECT utbetalingsidentifikator, transform(sort_array(collect_list(struct(
           kravidentifikator, named_struct(
             'dekketKrav', kravbeskrivelse,
             'kravIdentifikator', kravidentifikator,
             'kravtype', kravtype,
             'kravperiode', periode,
             'opprinneligBeloep', opprinnelig_beloep,
             'gjenstaaendeBeloep', gjenstaaende) AS post))), x -> x.post) AS grunnlag
  FROM paid JOIN krav_tekst USING (kravidentifikator) JOIN krav_sum USING (kravidentifikator)
  GROUP BY utbetalingsidentifikator)
SELECT part, utbetalingsdato AS dato, utbetalingsidentifikator AS id, named_struct(
         'part', part,
         'utbetalingsbeskrivelse', utbetalingsbeskrivelse,
         'utbetaltdato', concat(utbetalingsdato, 'T00:00:00.000Z'),
         'utbetaltBeloep', utbetalt_beloep,
         'betaltTil', named_struct('kidnummer', til_kidnummer, 'konto', named_struct(
           'bankinformasjon', til_bankinformasjon, 'kontoeiersNavn', til_kontoeiers_navn,
           'kontonummer', til_kontonummer, 'iban', til_iban, 'swiftBIC', til_swift_bic)),
         'utbetalingIdentifikator', utbetalingsidentifikator,
         'grunnlagForUtbetaling', coalesce(grunnlag, array())) AS post
FROM utbetaling LEFT JOIN grunnlag USING (utbetalingsidentifikator);

CREATE VIEW dokument_oversikt AS
WITH groups AS (
  SELECT forespurt, kravgruppe, sum(renter) AS renter, sum(forfalte) AS forfalte, sum(ikke_forfalte) AS ikke_forfalte,
         sum(renter + forfalte + ikke_forfalte) AS saldo
  FROM shown JOIN krav_tekst USING (part) JOIN krav_sum USING (kravidentifikator)
  WHERE aapent GROUP BY forespurt, kravgruppe),
totals AS (
  SELECT forespurt, sum(renter) AS renter, sum(forfalte) AS forfalte, sum(ikke_forfalte) AS ikke_forfalte,
         transform(sort_array(collect_list(struct(kravgruppe, named_struct(
           'kravgruppe', kravgruppe,
           'stipulerteRenter', CAST(renter AS DECIMAL(38, 2)),
           'forfalteKrav', CAST(forfalte AS DECIMAL(38, 2)),
           'ikkeForfalteKrav', CAST(ikke_forfalte AS DECIMAL(38, 2)),
           'saldo', CAST(saldo AS DECIMAL(38, 2))) AS post))), x -> x.post) AS grupper
  FROM groups GROUP BY forespurt),
open_krav AS (
  SELECT forespurt, transform(sort_array(collect_list(struct(dato, id, post))), x -> x.post) AS krav
  FROM shown JOIN krav_struct USING (part) WHERE aapent GROUP BY forespurt),
unplaced AS (
  SELECT forespurt, -sum(uplassert) AS uplassert,
         transform(sort_array(collect_list(struct(dato, id, post))), x -> x.post) AS innbetalinger
  FROM shown JOIN innbetaling_struct USING (part) WHERE uplassert <> 0 GROUP BY forespurt)
SELECT part, to_json(named_struct(
         'forespurtPart', part,
         'aapentKravMedGjenstaaendeBeloep', coalesce(krav, array()),
         'innbetalingMedUplassertBeloep', coalesce(innbetalinger, array()),
         'totalOversikt', named_struct(
           'stipulerteRenter', CAST(coalesce(renter, 0) AS DECIMAL(38, 2)),
           'forfalteKrav', CAST(coalesce(forfalte, 0) AS DECIMAL(38, 2)),
           'ikkeForfalteKrav', CAST(coalesce(ikke_forfalte, 0) AS DECIMAL(38, 2)),
           'uplasserteInnbetalinger', CAST(coalesce(uplassert, 0) AS DECIMAL(38, 2)),
           'saldo', CAST(coalesce(renter + forfalte + ikke_forfalte, 0) + coalesce(uplassert, 0) AS DECIMAL(38, 2))),
         'oversiktPerKravgruppe', coalesce(grupper, array()))) AS document
FROM part LEFT JOIN open_krav ON open_krav.forespurt = part LEFT JOIN unplaced ON unplaced.forespurt = part
          LEFT JOIN totals ON totals.forespurt = part;

CREATE VIEW dokument_krav AS
WITH posts AS (
  SELECT forespurt, transform(sort_array(collect_list(struct(dato, id, post))), x -> x.post) AS krav
  FROM shown JOIN krav_struct USING (part) GROUP BY forespurt)
SELECT part, to_json(named_struct('forespurtPart', part, 'krav', coalesce(krav, array()))) AS document
FROM part LEFT JOIN posts ON forespurt = part;

CREATE VIEW dokument_innbetalinger AS
WITH posts AS (
  SELECT forespurt, transform(sort_array(collect_list(struct(dato, id, post))), x -> x.post) AS innbetalinger
  FROM shown JOIN innbetaling_struct USING (part) GROUP BY forespurt)
SELECT part, to_json(named_struct('forespurtPart', part, 'innbetaling', coalesce(innbetalinger, array()))) AS document
FROM part LEFT JOIN posts ON forespurt = part;

CREATE VIEW dokument_utbetalinger AS
WITH posts AS (
  SELECT forespurt, transform(sort_array(collect_list(struct(dato, id, post))), x -> x.post) AS utbetalinger
  FROM shown JOIN utbetaling_struct USING (part) GROUP BY forespurt)
SELECT part, to_json(named_struct('forespurtPart', part, 'utbetaling', coalesce(utbetalinger, array()))) AS document
FROM part LEFT JOIN posts ON forespurt = part;
